// Package adaptor drives batch systems. An Adaptor submits, finds, polls and
// cancels jobs of one endpoint; package adaptortest holds the contract that
// every one of them passes.
//
// Promises:
//
//   - Submit of a token that Find has not seen makes at most one job.
//   - Absent is not ended: Poll says Vanished or Unknown unless there is
//     evidence of an end.
//   - Words of the batch system reach the caller unchanged.
package adaptor
