// Package events is the vocabulary of the log and its bytes.
//
// An Event is one message. What moves a pilot carries the pilot's whole Status
// after it, so the last message of a pilot's subject is its present and no
// reader needs the history to know it.
//
// Promises of the bytes (msgpack maps, short keys):
//
//   - What version N wrote, every later version reads. Fields are added, never
//     renamed, reused or re-typed; testdata holds golden bytes of each kind.
//   - Decode never allocates more than a small multiple of its input: the frame
//     is walked before the decoder sees it (vmihailenco/msgpack issue 401: a
//     5-byte array header made version 5.4.1 allocate 4 GiB).
//   - A kind this version does not know decodes, and moves nothing. A version
//     it does not know is an error with code unsupported: a reader stops there,
//     for it cannot tell what it would miss.
//   - Times are milliseconds of the writer's clock, for people; order is Seq.
package events
