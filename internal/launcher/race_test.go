//go:build race

package launcher_test

const racing = true
