package api

// Position is the log position the answer reflects.
func (a ManagerAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a ManagersAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a SessionAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a SessionsAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a CloseAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a PilotsAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a ListAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a WaitAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a CancelAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a HistoryAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a LogsAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a ResourcesAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a ResourceAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a PutResourceAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a CheckResourceAnswer) Position() uint64 { return a.Seq }

// Position is the log position the answer reflects.
func (a RenderAnswer) Position() uint64 { return a.Seq }
