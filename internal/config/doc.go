// Package config finds out what an operator wants of a program: from files, the
// environment and the command line, in one order for all programs.
//
// What is said later wins:
//
//	/etc/flightlog/config.yaml
//	$XDG_CONFIG_HOME/flightlog/config.yaml, else ~/.config/flightlog/config.yaml
//	the file of --config, else of FLIGHTLOG_CONFIG
//	the environment
//	flags
//
// A key stands in one place only: what all programs share under nats and log,
// the rest under the program's name. So one file serves all programs of a
// machine. Secrets have no key: files of credentials are named instead.
package config
