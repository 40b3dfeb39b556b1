// Package decide holds the decisions of a launcher as pure functions: an
// [Observation] of a pilot, the time and the [Limits] go in, the one [Effect] that
// the pilot needs next comes out. Nothing here reads a clock, waits, or touches
// anything outside of its arguments; package launcher observes and carries out.
//
// # Usage
//
// [NextEffect] decides about a pilot, [AnswerRequest] about what its agent asks.
// [Observation.ChangeEvent] and [Observation.NoteEvent] make the events that an effect
// or a verdict appends to the log.
//
// # Evidence
//
// What is known of a pilot beside the log is split by how long it holds:
// [AttemptState] is about one attempt, and a new attempt begins with the zero value;
// [SystemTraits] is about a batch system, and the rest of an [Observation] about now.
//
// # Failure
//
// Equal observations and times give equal effects, so an effect that fails is decided
// again. Where a pilot waits for something that makes no noise, the effect says when to
// look again.
//
// testdata/effects.txt shows the effects of typical observations in every state.
package decide
