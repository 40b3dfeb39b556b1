// Package runnertest holds what every Runner must do, as tests.
package runnertest
