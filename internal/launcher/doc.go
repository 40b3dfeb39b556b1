// Package launcher turns submitted pilots into batch jobs, looks after them,
// and speaks for them in the log. Any number of launchers serve one resource.
//
// A Launcher folds the log of its resource, and one goroutine decides, with the
// pure function decide, what each pilot needs next. Every change of a pilot is
// appended under compare-and-set: of two launchers, agents or managers that
// want to move the same pilot, one wins, and the others read again and decide
// again. Of one pilot there is at most one command of its batch system under way, and
// beside it one write to the log: agents are answered whatever a batch system does.
//
// Launching exactly once:
//
//  1. the submit command arrives from the queue that the fleet shares;
//  2. launching is appended: attempt, launcher, hash of the attempt's secret;
//  3. the job is submitted; its name and environment carry the attempt's token;
//  4. pending_active is appended with the job's id, and only then is the
//     command taken off the queue;
//  5. the agent claims the attempt with its secret (active), and runs the
//     payload only once that is in the log.
//
// A launcher may be killed after any of these. Whoever continues finds the
// attempt in the log without a job, asks the batch system for the token, and
// records what it finds; if there is nothing it begins a new attempt, whose
// secret shuts out whatever might still come of the old one.
//
// Ownership: a launcher holds a lease under its id. Pilots of a launcher whose
// lease is gone are adopted by another one of the resource; a job bound to a
// host only by one that sees its processes, or finds a sign of it. Where none does,
// the pilot goes on while any launcher hears its agent. A launcher that stops leaves
// its pilots running.
//
// Orphans: a job that carries a token and belongs to no live pilot is shown when
// somebody asks, and killed when he says so, never by itself.
package launcher
