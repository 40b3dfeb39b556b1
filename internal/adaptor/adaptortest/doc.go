// Package adaptortest tests batch systems and what uses them: TestAdaptor is
// the contract that every adaptor.Adaptor passes, and Memory is a batch system
// without processes that passes it too.
//
// A fleet over a Memory, in a testing/synctest bubble, with faults and hours
// of queue time:
//
//	batch := adaptortest.NewMemory(adaptortest.Config{
//		Script: func(s *adaptor.Spec) adaptortest.Script {
//			return adaptortest.Script{Queue: time.Hour, Length: time.Minute}
//		},
//		Inject: func(c adaptortest.Call) adaptortest.Failure {
//			if c.Op == adaptortest.Submit && c.N == 1 {
//				return adaptortest.LoseAnswer // the job is made, the caller is not told
//			}
//			return adaptortest.None
//		},
//	})
//	defer batch.Close()
//	launcher := …New(… batch.Open() …) // one Open per launcher, as after a restart
//	batch.SetHandler(launcher.Answer)  // who answers its agents from now on
//	…
//	if n := batch.Runs(key); n != 1 { … } // payloads that began
//
// Memory uses time and context only, so a bubble's clock drives it.
package adaptortest
