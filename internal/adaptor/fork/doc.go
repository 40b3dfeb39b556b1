// Package fork is the batch system of one machine: a job is an agent process
// of the launcher's user, in a session of its own, that outlives the launcher.
//
// Promises:
//
//   - What Submit started is found by every later System with the same Root on
//     this machine, by its token: the job record is on disk before the agent
//     learns what to run, and only one agent gets past its beginning per attempt.
//   - A signal meant for one job never hits the next one of the same process: who
//     signals says so in the sandbox first, and an agent that finds that when it has
//     left its exit mark takes no other job.
//   - A pid alone is never believed: boot id, process namespace, pid and start time
//     name a process, and signals go to a pidfd.
//   - A machine is not its name: after a change of that its jobs are its jobs. Of jobs
//     of which that is in doubt (another namespace, a copy of the machine) only what is
//     in the sandbox is believed.
//   - The exit of a payload is known whoever has died: the agent leaves it in
//     the sandbox. Agent and payload killed together is failed, agent_lost.
//   - A job costs no thread and no child that somebody must wait for by hand; the
//     System waits only for its own agents, so other children are left alone.
//   - The secret of an attempt goes through a pipe, and nowhere else.
//
// Files: <base>/<manager>/<pilot> is the sandbox, its .flightlog/<attempt>.* are
// the marks and the job record (package sandbox); <Root>/.elsewhere links to the
// sandboxes whose base is not Root. Starting an agent takes milliseconds, so a
// few are kept warm: started ahead, connected, waiting on their stdin. One whose
// job is over waits for another one, if it is as good as new: a job has a process
// for itself while it runs, and the start of that one is shared by many.
package fork
