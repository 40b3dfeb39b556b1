package events_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

var update = flag.Bool("update", false, "write golden bytes for kinds that have none; those that are there stay")

// sampleEvents has one event of each kind, by "<tree>-<kind>", as full as it gets.
func sampleEvents() map[string]events.Event {
	at := time.UnixMilli(1_767_225_600_123).UTC()
	status := pilot.Status{
		State: pilot.Active, FurthestState: pilot.Active, WasCanceling: false, Attempt: 2, Launcher: "login1-0",
		SecretHash: []byte{0xde, 0xad, 0xbe, 0xef}, NotBefore: at.Add(time.Second),
		Job: pilot.Job{
			ID: "4711", Cluster: "c1", URL: "slurm://login1/", Host: "login1", Boot: "8a5d", Digest: "f00d",
			Raw: "Submitted batch job 4711\n",
		},
		Sandbox: "/scratch/pilot-1", Instance: "agent-1", Nodes: []string{"n1", "n2"}, Cores: 128, GPUs: 8,
		ActiveAt: at.Add(time.Minute), Deadline: at.Add(time.Hour),
	}
	all := map[string]events.Event{
		"cmd-submit": {Class: events.ClassCommand, Kind: events.Submit, Submission: &events.Submission{
			Config: []byte(`{"label":"local.localhost"}`), Digest: "c0ffee", Key: "again",
			Description: pilot.Description{
				UID: "pilot-1", Resource: "local.localhost", AccessSchema: "local", Runtime: pilot.Runtime(90 * time.Minute),
				Cores: 4, Nodes: 1, GPUs: 2, Memory: 4 << 30, Queue: "debug", Project: "p1", JobName: "job", Sandbox: "/tmp",
				Cleanup: true, Executable: "sh", Arguments: []string{"-c", "true"},
				Environment: map[string]string{"A": "1", "B": "2"}, Labels: map[string]string{"team": "blue"},
			},
		}},
		"cmd-cancel": {Class: events.ClassCommand, Kind: events.Cancel, Reason: "enough"},
	}
	for _, k := range pilot.Kinds()[1:] {
		st := status
		all["evt-"+k.String()] = events.Event{
			Class: events.ClassChange, Kind: events.Kind(k.String()), From: pilot.PendingActive, Status: &st,
		}
	}
	leave := func(name string, from, to pilot.State, cause pilot.Cause) {
		e := all[name]
		e.From = from
		e.Status.State, e.Status.EndedAt, e.Status.Cause = to, at.Add(2*time.Minute), &cause
		e.Status.Stdout, e.Status.Stderr = "out\n", "err\xff\n"
		all[name] = e
	}
	leave("evt-done", pilot.Active, pilot.Done, pilot.Cause{Code: pilot.PayloadFinished, ExitCode: new(0)})
	leave("evt-failed", pilot.Active, pilot.Failed, pilot.Cause{Code: pilot.PayloadFailed, Message: "exit 3", ExitCode: new(3), Signal: 9})
	leave("evt-canceled", pilot.Stopping, pilot.Canceled, pilot.Cause{Code: pilot.KilledAfterGrace, Underlying: "node_fail"})
	for _, name := range []string{"evt-canceling", "evt-canceled"} {
		all[name].Status.WasCanceling = true
		all[name].Status.Cancel = &pilot.Cancel{By: "anna", Reason: "enough", Force: true, Grace: 10 * time.Second, At: at}
	}
	all["evt-canceling"].Status.State = pilot.Stopping
	for _, k := range []events.Kind{events.Observed, events.Health, events.Late, events.Logged} {
		all["note-"+string(k)] = events.Event{Class: events.ClassNote, Kind: k, Note: &events.Note{
			Text: "queue is long", Phase: "queued", Native: "PD", Health: "agent silent",
		}}
	}
	for _, k := range []events.Kind{events.Created, events.Closing, events.Closed} {
		o := &events.Scope{
			Session: "ses-1", State: events.StateClosed, Labels: map[string]string{"team": "blue"}, CreatedAt: at,
			ClosedAt: at.Add(time.Hour), Terminate: true, Reason: "over", Key: "again",
		}
		all["mgr-"+string(k)] = events.Event{Class: events.ClassManager, Kind: k, Scope: o}
		all["ses-"+string(k)] = events.Event{Class: events.ClassSession, Kind: k, Scope: o}
	}
	all["res-put"] = events.Event{Class: events.ClassResource, Kind: events.Put, Source: &events.Source{
		Version: 2, File: "host.yaml", Text: []byte("cores_per_node: 64\n"), Digest: "beef", Key: "again",
	}}
	all["res-deleted"] = events.Event{Class: events.ClassResource, Kind: events.Deleted, Source: &events.Source{Version: 3}}
	noted := *all["cmd-submit"].Submission
	noted.Notes = []string{"cores: 64 instead of 3, which is 1 whole nodes of 64"}
	all["cmd-submit-noted"] = events.Event{Class: events.ClassCommand, Kind: events.Submit, Submission: &noted}
	listed := *all["cmd-submit"].Submission
	listed.List, listed.Over = events.List{ID: "01k1", Size: 900, Index: 31}, 4711
	all["cmd-submit-listed"] = events.Event{Class: events.ClassCommand, Kind: events.Submit, Submission: &listed}
	own := *all["cmd-submit"].Submission
	asked, closedFor := *all["evt-canceling"].Status, *all["ses-closed"].Scope
	askedFor := *asked.Cancel
	askedFor.OnBehalfOf = "ben@login"
	asked.Cancel = &askedFor
	closedFor.ClosedBy, closedFor.ClosedFor = "anna", "ben@login"
	all["cmd-submit-behalf"] = events.Event{Class: events.ClassCommand, Kind: events.Submit, OnBehalfOf: "ben@login", Submission: &own}
	all["evt-canceling-behalf"] = events.Event{
		Class: events.ClassChange, Kind: "canceling", OnBehalfOf: "ben@login", From: pilot.PendingActive, Status: &asked,
	}
	all["ses-closed-behalf"] = events.Event{Class: events.ClassSession, Kind: events.Closed, OnBehalfOf: "ben@login", Scope: &closedFor}
	endedFor := closedFor
	endedFor.Terminate, endedFor.EndedBy, endedFor.EndedFor = true, "carl", "dora@login"
	all["ses-closed-ended"] = events.Event{Class: events.ClassSession, Kind: events.Closed, Scope: &endedFor}
	all["evt-deadline"].Status.Limit = 2 * time.Hour
	limited := *all["note-observed"].Note
	limited.Limit = time.Hour
	all["note-observed-limit"] = events.Event{Class: events.ClassNote, Kind: events.Observed, Note: &limited}
	for name, e := range all {
		e.ID, e.At, e.Actor = "01k0", at, "anna"
		all[name] = e
	}
	return all
}

// TestGoldenBytes proves that this version writes and reads the bytes that
// stand in logs. A file that is there never changes: if it no longer fits, the
// encoding broke its promise.
func TestGoldenBytes(t *testing.T) {
	t.Parallel()
	for name, e := range sampleEvents() {
		path := filepath.Join("testdata", "v1-"+name+".golden")
		b := encode(t, &e)
		text, err := os.ReadFile(path)
		if *update && errors.Is(err, fs.ErrNotExist) {
			text = hexDump(b)
			err = os.WriteFile(path, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := parseHexDump(t, text); !bytes.Equal(b, want) {
			t.Errorf("%s: encodes as\n%s\nnot\n%s", path, hexDump(b), text)
		}
		if got, err := events.Decode(e.Class, parseHexDump(t, text)); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s: decodes as\n%+v, %v\nnot\n%+v", path, got, err, e)
		}
	}
}

// TestGoldenBytesStillDecode reads every file, also of kinds that are no longer
// written.
func TestGoldenBytesStillDecode(t *testing.T) {
	t.Parallel()
	classes := map[string]events.Class{
		"cmd": events.ClassCommand, "evt": events.ClassChange, "note": events.ClassNote, "mgr": events.ClassManager, "ses": events.ClassSession,
		"res": events.ClassResource,
	}
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, path := range files {
		parts := strings.SplitN(strings.TrimSuffix(filepath.Base(path), ".golden"), "-", 3)
		kind, _, _ := strings.Cut(parts[2], "-")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := events.Decode(classes[parts[1]], parseHexDump(t, text)); err != nil || string(e.Kind) != kind {
			t.Errorf("%s decodes as kind %q, %v", path, e.Kind, err)
		}
	}
}

// hexDump is hex with the text beside it, so that a person sees what is where.
func hexDump(b []byte) []byte { return []byte(hex.Dump(b)) }

func parseHexDump(t *testing.T, text []byte) []byte {
	t.Helper()
	var b []byte
	for line := range strings.Lines(string(text)) {
		hexed := strings.ReplaceAll(line[10:58], " ", "")
		raw, err := hex.DecodeString(strings.TrimSpace(hexed))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, raw...)
	}
	return b
}
