// Package sandbox names every file that Flightlog keeps in the sandbox of a pilot, and has the
// shape of what is in it.
//
// A sandbox is the directory <base>/<manager>/<pilot>. It holds the payload's files, among them
// [StdoutFile] and [StderrFile], and the directory [MarksDir], which is Flightlog's. There each
// file is called <attempt>.<name>; a directory for each attempt would cost more than all of its
// files.
//
// Agents and launchers on the same machine read and write these files by [Marks]. Launchers of
// batch systems reach them by way of a runner: [MarksPath] and [MarkName] say where they are,
// [Encode] and [Decode] what they hold. The script of a batch job (package render) writes some by
// a shell's printf: the tests of that package read them with the types of this one.
//
// Files, of each attempt where nothing else is said:
//
//	name         shape           written by                          when
//	job.sh                       launcher of a batch system          before it submits the job
//	assignment   Assignment      launcher of a batch system          before it submits the job; the script takes it away
//	job          SubmittedJob    launcher of a batch system          when it has the answer to its submit
//	job          ForkedJob       launcher of a fork endpoint         before the agent learns of its assignment
//	job.out                      batch system                        the script's output
//	job.err                      batch system                        the script's output
//	bootstrap    Bootstrap       script                              when it begins, and only by the first of an attempt
//	started      Started         agent                               when it begins, and only by the first of an attempt
//	deadline                     agent                               when the payload starts, and when the deadline is moved
//	nodes                        agent                               when the payload starts
//	agent.log                    agent                               when it has something to say
//	stop                         launcher of a fork endpoint         before it signals the agent
//	exit         api.Outcome     agent, script or launcher           when the attempt has ended; the first counts
//
// A file that is to be there whole or not at all is written beside its place and then linked or
// renamed into it. Where two may write, the first wins: link(2) and O_EXCL are atomic on NFS, too.
// An empty file was left by a process that died as it wrote: it counts as no mark, but nobody can
// take its place.
package sandbox
