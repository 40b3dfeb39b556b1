package runner

import "go.uber.org/zap"

type SSHConfig struct {
	Host, User string
	Port       int
	Logger     *zap.Logger
}

func NewSSH(SSHConfig) (Runner, error) { return nil, nil }
