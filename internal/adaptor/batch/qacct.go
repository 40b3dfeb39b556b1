package batch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// queryQacct reads the whole file of accounting however little is asked for, so it is
// asked once for all jobs of this user that began since then. Jobs appear in it
// some time after they have left the queue; those that never ran do not appear.
func queryQacct(since time.Time) Query {
	return Query{
		Argv: scriptCommand("qacct", `exec qacct -o "$(id -un)" -b "$1" -j`, since.UTC().Format("200601021504.05")),
		Read: readQacct, NoHistory: noHistorySGE,
	}
}

// noHistorySGE: sites keep accounting at the qmaster, or in a database.
var noHistorySGE = regexp.MustCompile(`/accounting: (No such file or directory|Permission denied)`)

// emptyQacct: qacct's words for there being no record yet.
var emptyQacct = regexp.MustCompile(`(?i)job (id|name) .* not found|no jobs running since startup`)

var qacctRule = regexp.MustCompile(`(?m)^={20,}$`)

// readQacct reads blocks of key and value, each below a rule.
func readQacct(r runner.Result) ([]Record, error) {
	if err := checkComplete("qacct", r); err != nil {
		return nil, err
	}
	if said := combinedOutput(r); emptyQacct.MatchString(said) {
		return nil, nil
	}
	if r.Code != 0 || strings.Contains(decodeText(r.Stderr), "error: ") {
		return nil, commandError("qacct", r)
	}
	var out []Record
	at := map[string]int{}
	for _, block := range qacctRule.Split(decodeText(r.Stdout), -1)[1:] {
		f := parseFields(block)
		if !terseSubmit.MatchString(f["jobnumber"]) {
			continue // the sums at the end
		}
		rec, final := qacctRecord(f)
		if !final {
			continue
		}
		// One line for each host that ran a part, or for each run: the last counts.
		if i, ok := at[rec.ID+fieldSeparator+rec.Name]; ok {
			out[i] = rec
			continue
		}
		at[rec.ID+fieldSeparator+rec.Name] = len(out)
		out = append(out, rec)
	}
	if len(out) == 0 && !strings.Contains(decodeText(r.Stdout), "WALLCLOCK") && strings.TrimSpace(combinedOutput(r)) != "" {
		return nil, fmt.Errorf("qacct: not understood: %w", commandError("qacct", r))
	}
	return out, nil
}

// parseFields reads lines of a word and the rest; the first of a name counts.
func parseFields(block string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(block) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, taken := out[key]; !taken {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// qacctRecord gives the end of a job; false: it was put back into the queue.
func qacctRecord(f map[string]string) (Record, bool) {
	rec := Record{
		Ref: Ref{ID: f["jobnumber"]}, Name: f["jobname"], Phase: adaptor.Ended, Nodes: emptyIfNull(f["hostname"]),
		Submitted: timeSGE(f["qsub_time"]), Started: timeSGE(f["start_time"]), EndedAt: timeSGE(f["end_time"]),
	}
	if task := f["taskid"]; task != "" && task != "undefined" {
		rec.ID += "." + task
	}
	failed, err := leadingNumber(f["failed"])
	if err != nil {
		failed = 0
	}
	status, err := leadingNumber(f["exit_status"])
	rec.Native = "exit_status " + f["exit_status"]
	if failed != 0 {
		rec.Native = "failed " + f["failed"] + ", " + rec.Native
	}
	rec.Native = strings.Join(strings.Fields(rec.Native), " ")
	if err == nil && !neverStarted(failed) {
		rec.ExitCode, rec.Exited = status, true
		if failed == failedSignal && status > 128 {
			rec.ExitCode, rec.Signal = 0, status-128
		}
	}
	if by := emptyIfNull(f["deleted_by"]); by != "" {
		rec.Reason = "deleted by " + by
	}
	rec.Cause = causeSGE(failed, status, f)
	return rec, !wasRequeued(failed)
}

// Codes of accounting(5), "failed"; the words are those of sge_shepherd.
const (
	failedNoExitStatus = 19  // before writing exit_status: the execution daemon lost it
	failedUnknownJob   = 21  // in recognizing job: the execution daemon does not know it
	failedLimit        = 37  // qmaster enforced h_rt, h_cpu, or h_vmem limit
	failedSignal       = 100 // assumedly after job: a signal ended it
)

// wasRequeued: migrated (24), rescheduled (25), and on the application's wish (30).
func wasRequeued(failed int) bool { return failed == 24 || failed == 25 || failed == 30 }

// neverStarted: something before the job failed, from before_job (1) to before
// pe_stop (11), or with its files, shell, account or group (26 to 36, 38).
func neverStarted(failed int) bool {
	return failed >= 1 && failed <= 11 || failed >= 26 && failed <= 36 || failed == 38
}

// causeSGE: a job that ends by SIGKILL, or by the warning before it, without having
// reached a limit of its own was deleted: qacct has no word for it before Univa's
// deleted_by.
func causeSGE(failed, status int, f map[string]string) pilot.CauseCode {
	category := parseRequests(f["category"])
	took, _ := strconv.ParseFloat(strings.TrimSuffix(f["ru_wallclock"], "s"), 64)
	outgrown := category["h_vmem"] > 0 && bytesSGE(f["maxvmem"]) >= category["h_vmem"]
	switch {
	case failed == failedLimit && outgrown:
		return pilot.OutOfMemory
	case failed == failedLimit:
		return pilot.RuntimeReached
	case neverStarted(failed):
		return pilot.BootstrapFailed
	case failed == failedNoExitStatus || failed == failedUnknownJob:
		return pilot.NodeFailed
	case failed != failedSignal:
		return ""
	case category["h_rt"] > 0 && took >= category["h_rt"]:
		return pilot.RuntimeReached
	case outgrown:
		return pilot.OutOfMemory
	case status == 128+24: // SIGXCPU: of s_cpu and h_cpu (queue_conf(5))
		return pilot.RuntimeReached
	case emptyIfNull(f["deleted_by"]) != "", status == 128+9, status == 128+10, status == 128+12:
		return pilot.JobCanceledByThem
	default:
		return ""
	}
}

// parseRequests reads the numbers of the requests in a category: "-l h_rt=600,h_vmem=1G".
func parseRequests(category string) map[string]float64 {
	out := map[string]float64{}
	for _, m := range requestPattern.FindAllStringSubmatch(category, -1) {
		out[m[1]] = bytesSGE(m[2])
	}
	return out
}

var requestPattern = regexp.MustCompile(`(?:^|[ ,])(h_rt|h_vmem)=([0-9.]+[A-Za-z]*)`)

// bytesSGE reads a memory specifier: K, M, G and T are of 1024, in lower case of
// 1000 (sge_types(1)); a B may follow.
func bytesSGE(s string) float64 {
	digits := strings.TrimRight(s, "BKMGTkmgts")
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0
	}
	unit := strings.TrimPrefix(s, digits)
	if unit == "" {
		return n
	}
	base := 1000.0
	if strings.ToUpper(unit) == unit {
		base = 1024
	}
	for range strings.Index("BKMGT", strings.ToUpper(unit[:1])) {
		n *= base
	}
	return n
}

// leadingNumber reads the number that a text begins with.
func leadingNumber(s string) (int, error) {
	digits, _, _ := strings.Cut(s, " ")
	return strconv.Atoi(digits)
}
