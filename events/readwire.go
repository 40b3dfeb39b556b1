package events

// Each of these reads one wire struct by the keys of its tags.

func (r *reader) readEvent(w *wireEvent) {
	r.eachField(func(key string) {
		switch key {
		case "v":
			w.V = uint64(r.readInt64())
		case "id":
			w.ID = r.readString()
		case "k":
			w.Kind = r.readString()
		case "t":
			w.At = r.readInt64()
		case "by":
			w.Actor = r.readString()
		case "for":
			w.For = r.readString()
		case "why":
			w.Reason = r.readString()
		case "f":
			w.From = r.readString()
		case "b":
			w.Submission = readOptional(r, r.readSubmission)
		case "s":
			w.Status = readOptional(r, r.readStatus)
		case "o":
			w.Scope = readOptional(r, r.readScope)
		case "n":
			w.Note = readOptional(r, r.readNote)
		case "src":
			w.Source = readOptional(r, r.readSource)
		default:
			r.skipValue()
		}
	})
}

// readOptional reads an optional struct; nil stands for none.
func readOptional[T any](r *reader, read func(*T)) *T {
	if r.skipNil() {
		return nil
	}
	w := new(T)
	read(w)
	return w
}

func (r *reader) readSubmission(w *wireSubmission) {
	r.eachField(func(key string) {
		switch key {
		case "cfg":
			w.Config = r.readBytes()
		case "dig":
			w.Digest = r.readString()
		case "key":
			w.Key = r.readString()
		case "uid":
			w.UID = r.readString()
		case "res":
			w.Resource = r.readString()
		case "sch":
			w.Schema = r.readString()
		case "run":
			w.Runtime = r.readInt64()
		case "c":
			w.Cores = r.readInt64()
		case "nd":
			w.Nodes = r.readInt64()
		case "g":
			w.GPUs = r.readInt64()
		case "mem":
			w.Memory = r.readInt64()
		default:
			r.readSubmissionText(w, key)
		}
	})
}

func (r *reader) readSubmissionText(w *wireSubmission, key string) {
	switch key {
	case "q":
		w.Queue = r.readString()
	case "prj":
		w.Project = r.readString()
	case "job":
		w.JobName = r.readString()
	case "box":
		w.Sandbox = r.readString()
	case "cln":
		w.Cleanup = r.readBool()
	case "exe":
		w.Exec = r.readString()
	case "arg":
		w.Args = r.readStrings()
	case "env":
		w.Env = r.readStringMap()
	case "lab":
		w.Labels = r.readStringMap()
	case "nts":
		w.Notes = r.readStrings()
	case "li":
		w.List = r.readString()
	case "ln":
		w.Size = r.readInt()
	case "lx":
		w.Index = r.readInt()
	case "ovr":
		w.Over = uint64(r.readInt64())
	default:
		r.skipValue()
	}
}

func (r *reader) readStatus(w *wireStatus) {
	r.eachField(func(key string) {
		switch key {
		case "st":
			w.State = r.readString()
		case "pk":
			w.FurthestState = r.readString()
		case "lv":
			w.WasCanceling = r.readBool()
		case "a":
			w.Attempt = r.readInt()
		case "fl":
			w.Failures = r.readInt()
		case "cr":
			w.Crashes = r.readInt()
		case "l":
			w.Launcher = r.readString()
		case "sh":
			w.Secret = r.readBytes()
		case "nb":
			w.NotBefore = r.readInt64()
		case "box":
			w.Sandbox = r.readString()
		case "in":
			w.Instance = r.readString()
		case "nd":
			w.Nodes = r.readStrings()
		case "c":
			w.Cores = r.readInt64()
		case "g":
			w.GPUs = r.readInt64()
		default:
			r.readStatusJob(w, key)
		}
	})
}

func (r *reader) readStatusJob(w *wireStatus, key string) {
	switch key {
	case "j":
		w.JobID = r.readString()
	case "jc":
		w.Cluster = r.readString()
	case "ju":
		w.URL = r.readString()
	case "jh":
		w.Host = r.readString()
	case "jb":
		w.Boot = r.readString()
	case "jn":
		w.Space = r.readString()
	case "jd":
		w.Digest = r.readString()
	case "jr":
		w.Raw = r.readString()
	case "at":
		w.ActiveAt = r.readInt64()
	case "dl":
		w.Deadline = r.readInt64()
	case "lim":
		w.Limit = r.readInt64()
	case "et":
		w.EndedAt = r.readInt64()
	case "o":
		w.Stdout = r.readString()
	case "e":
		w.Stderr = r.readString()
	case "cn":
		w.Cancel = readOptional(r, r.readCancel)
	case "ca":
		w.Cause = readOptional(r, r.readCause)
	default:
		r.skipValue()
	}
}

func (r *reader) readCancel(w *wireCancel) {
	r.eachField(func(key string) {
		switch key {
		case "by":
			w.By = r.readString()
		case "for":
			w.For = r.readString()
		case "why":
			w.Reason = r.readString()
		case "f":
			w.Force = r.readBool()
		case "g":
			w.Grace = r.readInt64()
		case "t":
			w.At = r.readInt64()
		default:
			r.skipValue()
		}
	})
}

func (r *reader) readCause(w *wireCause) {
	r.eachField(func(key string) {
		switch key {
		case "c":
			w.Code = r.readString()
		case "m":
			w.Message = r.readString()
		case "x":
			w.ExitCode = readOptional(r, func(n *int) { *n = r.readInt() })
		case "s":
			w.Signal = r.readInt()
		case "u":
			w.Underlying = r.readString()
		default:
			r.skipValue()
		}
	})
}

func (r *reader) readScope(w *wireScope) {
	r.eachField(func(key string) {
		switch key {
		case "ses":
			w.Session = r.readString()
		case "st":
			w.State = r.readString()
		case "lab":
			w.Labels = r.readStringMap()
		case "ct":
			w.CreatedAt = r.readInt64()
		case "et":
			w.ClosedAt = r.readInt64()
		case "cby":
			w.ClosedBy = r.readString()
		case "cfor":
			w.ClosedFor = r.readString()
		case "trm":
			w.Terminate = r.readBool()
		case "eby":
			w.EndedBy = r.readString()
		case "efor":
			w.EndedFor = r.readString()
		case "why":
			w.Reason = r.readString()
		case "key":
			w.Key = r.readString()
		default:
			r.skipValue()
		}
	})
}

func (r *reader) readNote(w *wireNote) {
	r.eachField(func(key string) {
		switch key {
		case "t":
			w.Text = r.readString()
		case "p":
			w.Phase = r.readString()
		case "n":
			w.Native = r.readString()
		case "h":
			w.Health = r.readString()
		case "l":
			w.Limit = r.readInt64()
		default:
			r.skipValue()
		}
	})
}

func (r *reader) readSource(w *wireSource) {
	r.eachField(func(key string) {
		switch key {
		case "ver":
			w.Version = uint64(r.readInt64())
		case "fil":
			w.File = r.readString()
		case "txt":
			w.Text = r.readBytes()
		case "dig":
			w.Digest = r.readString()
		case "key":
			w.Key = r.readString()
		default:
			r.skipValue()
		}
	})
}
