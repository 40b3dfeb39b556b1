// Package fakebatch is command-line batch systems for tests: sbatch, qsub, bsub and
// their like, which print what the manuals say and what real systems were seen to
// print, and really run the jobs. They have one state, a directory, and no daemon.
//
//	func TestMain(m *testing.M) {
//		fakebatch.Main() // does not return in a process that is one of the commands
//		os.Exit(m.Run())
//	}
//
//	func TestX(t *testing.T) {
//		fake := fakebatch.New(t, "pbspro")
//		t.Setenv("PATH", fake.BinDir()+":"+os.Getenv("PATH")) // or Runner's Env: fake.Env()
//		fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenGarbage})
//		…
//		if n := fake.SubmitCount(); n != 1 { … }
//	}
//
// A job begins in the command that submits it, unless the system is stopped, and
// ends by itself; whatever else befalls it is a method of Fake. What a command
// does wrong is a Failure. Times a system keeps (a walltime, the grace before
// SIGKILL) are looked at by the next command, as by a scheduler's next cycle.
//
// What each system is made after stands in its file.
package fakebatch
