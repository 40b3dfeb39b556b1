package events

// Each of these reads one wire struct by the keys of its tags.

func (r *reader) wire(w *wire) {
	r.fields(func(key string) {
		switch key {
		case "v":
			w.V = uint64(r.integer())
		case "id":
			w.ID = r.text()
		case "k":
			w.Kind = r.text()
		case "t":
			w.At = r.integer()
		case "by":
			w.Actor = r.text()
		case "for":
			w.For = r.text()
		case "why":
			w.Reason = r.text()
		case "f":
			w.From = r.text()
		case "b":
			w.Birth = into(r, r.birth)
		case "s":
			w.Status = into(r, r.status)
		case "o":
			w.Owner = into(r, r.owner)
		case "n":
			w.Note = into(r, r.note)
		case "src":
			w.Source = into(r, r.source)
		default:
			r.skip()
		}
	})
}

// into reads an optional struct; nil stands for none.
func into[T any](r *reader, read func(*T)) *T {
	if r.nothing() {
		return nil
	}
	w := new(T)
	read(w)
	return w
}

func (r *reader) birth(w *wireBirth) {
	r.fields(func(key string) {
		switch key {
		case "cfg":
			w.Config = r.bytes()
		case "dig":
			w.Digest = r.text()
		case "key":
			w.Key = r.text()
		case "uid":
			w.UID = r.text()
		case "res":
			w.Resource = r.text()
		case "sch":
			w.Schema = r.text()
		case "run":
			w.Runtime = r.integer()
		case "c":
			w.Cores = r.integer()
		case "nd":
			w.Nodes = r.integer()
		case "g":
			w.GPUs = r.integer()
		case "mem":
			w.Memory = r.integer()
		default:
			r.birthText(w, key)
		}
	})
}

func (r *reader) birthText(w *wireBirth, key string) {
	switch key {
	case "q":
		w.Queue = r.text()
	case "prj":
		w.Project = r.text()
	case "job":
		w.JobName = r.text()
	case "box":
		w.Sandbox = r.text()
	case "cln":
		w.Cleanup = r.boolean()
	case "exe":
		w.Exec = r.text()
	case "arg":
		w.Args = r.texts()
	case "env":
		w.Env = r.dictionary()
	case "lab":
		w.Labels = r.dictionary()
	case "nts":
		w.Notes = r.texts()
	case "li":
		w.List = r.text()
	case "ln":
		w.Size = r.small()
	case "lx":
		w.Index = r.small()
	case "ovr":
		w.Over = uint64(r.integer())
	default:
		r.skip()
	}
}

func (r *reader) status(w *wireStatus) {
	r.fields(func(key string) {
		switch key {
		case "st":
			w.State = r.text()
		case "pk":
			w.Peak = r.text()
		case "lv":
			w.Left = r.boolean()
		case "a":
			w.Attempt = r.small()
		case "fl":
			w.Failures = r.small()
		case "cr":
			w.Crashes = r.small()
		case "l":
			w.Launcher = r.text()
		case "sh":
			w.Secret = r.bytes()
		case "nb":
			w.NotBefore = r.integer()
		case "box":
			w.Sandbox = r.text()
		case "in":
			w.Instance = r.text()
		case "nd":
			w.Nodes = r.texts()
		case "c":
			w.Cores = r.integer()
		case "g":
			w.GPUs = r.integer()
		default:
			r.statusRest(w, key)
		}
	})
}

func (r *reader) statusRest(w *wireStatus, key string) {
	switch key {
	case "j":
		w.JobID = r.text()
	case "jc":
		w.Cluster = r.text()
	case "ju":
		w.URL = r.text()
	case "jh":
		w.Host = r.text()
	case "jb":
		w.Boot = r.text()
	case "jn":
		w.Space = r.text()
	case "jd":
		w.Digest = r.text()
	case "jr":
		w.Raw = r.text()
	case "at":
		w.ActiveAt = r.integer()
	case "dl":
		w.Deadline = r.integer()
	case "lim":
		w.Limit = r.integer()
	case "et":
		w.EndedAt = r.integer()
	case "o":
		w.Stdout = r.text()
	case "e":
		w.Stderr = r.text()
	case "cn":
		w.Cancel = into(r, r.cancel)
	case "ca":
		w.Cause = into(r, r.cause)
	default:
		r.skip()
	}
}

func (r *reader) cancel(w *wireCancel) {
	r.fields(func(key string) {
		switch key {
		case "by":
			w.By = r.text()
		case "for":
			w.For = r.text()
		case "why":
			w.Reason = r.text()
		case "f":
			w.Force = r.boolean()
		case "g":
			w.Grace = r.integer()
		case "t":
			w.At = r.integer()
		default:
			r.skip()
		}
	})
}

func (r *reader) cause(w *wireCause) {
	r.fields(func(key string) {
		switch key {
		case "c":
			w.Code = r.text()
		case "m":
			w.Message = r.text()
		case "x":
			w.ExitCode = into(r, func(n *int) { *n = r.small() })
		case "s":
			w.Signal = r.small()
		case "u":
			w.Underlying = r.text()
		default:
			r.skip()
		}
	})
}

func (r *reader) owner(w *wireOwner) {
	r.fields(func(key string) {
		switch key {
		case "ses":
			w.Session = r.text()
		case "st":
			w.State = r.text()
		case "lab":
			w.Labels = r.dictionary()
		case "ct":
			w.CreatedAt = r.integer()
		case "et":
			w.ClosedAt = r.integer()
		case "cby":
			w.ClosedBy = r.text()
		case "cfor":
			w.ClosedFor = r.text()
		case "trm":
			w.Terminate = r.boolean()
		case "eby":
			w.EndedBy = r.text()
		case "efor":
			w.EndedFor = r.text()
		case "why":
			w.Reason = r.text()
		case "key":
			w.Key = r.text()
		default:
			r.skip()
		}
	})
}

func (r *reader) note(w *wireNote) {
	r.fields(func(key string) {
		switch key {
		case "t":
			w.Text = r.text()
		case "p":
			w.Phase = r.text()
		case "n":
			w.Native = r.text()
		case "h":
			w.Health = r.text()
		case "l":
			w.Limit = r.integer()
		default:
			r.skip()
		}
	})
}

func (r *reader) source(w *wireSource) {
	r.fields(func(key string) {
		switch key {
		case "ver":
			w.Version = uint64(r.integer())
		case "fil":
			w.File = r.text()
		case "txt":
			w.Text = r.bytes()
		case "dig":
			w.Digest = r.text()
		case "key":
			w.Key = r.text()
		default:
			r.skip()
		}
	})
}
