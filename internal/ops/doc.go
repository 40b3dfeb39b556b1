// Package ops shows how a process of the service does: health, metrics and
// traces, over HTTP for those who look and to a collector for those who keep.
//
// Promises:
//
//   - /healthz says whether the process works at all. It asks the owner of each
//     part for a sign of life and nobody else: that the bus is away restarts no
//     process.
//   - /readyz says whether all parts serve, and have folded the log as far as it
//     went when it was asked; if not, why not. From the moment the process is
//     told to leave it says no.
//   - /metrics is for Prometheus: base units, no ids as labels.
//   - /debug/pprof exists only where it was asked for, and only for connections
//     from this machine to a loopback address.
//   - Spans go out only where OTEL_EXPORTER_OTLP_ENDPOINT says where to.
//
// All methods of a nil Server do nothing, so that parts need not ask whether
// anybody looks.
package ops
