// Package reserve watches how much the log may still grow. Below a reserve nothing new
// begins, so that what runs can still be told, canceled and ended.
package reserve
