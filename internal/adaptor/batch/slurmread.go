package batch

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// Fields of squeue: %i id, %T state, %k comment, %V submitted, %S started (or
// expected), %N nodes, %r reason, %l limit, %j name. Each record begins and each field ends
// with a sign that nobody types: names and comments hold blanks, bars and line
// breaks. The header stays, for an answer without one is none.
const (
	squeueFormat    = recordSeparator + "%i\x1f%T\x1f%k\x1f%V\x1f%S\x1f%N\x1f%r\x1f%l\x1f%j\x1f"
	squeueFields    = 9
	recordSeparator = "\x1e"
	fieldSeparator  = "\x1f"
)

func readSqueue(r runner.Result) ([]Record, error) {
	if err := checkAnswerSlurm("squeue", r); err != nil {
		return nil, err
	}
	all := strings.Split(decodeText(r.Stdout), recordSeparator)
	cluster, headed := clusterOfLine(all[0]), false
	var out []Record
	for i, line := range all[1:] {
		f := strings.Split(line, fieldSeparator)
		last := i == len(all)-2
		switch {
		case len(f) > squeueFields && f[0] == "JOBID":
			headed = true
		case len(f) == squeueFields+1 && slurmID.MatchString(f[0]):
			out = append(out, squeueRecord(f, cluster))
		case last && len(f) <= squeueFields:
			return nil, fmt.Errorf("squeue: its answer ends in %.200q", line)
		default: // an array's head, or one that holds our signs itself: not ours
		}
		if c := clusterOfLine(f[len(f)-1]); c != "" {
			cluster = c
		}
	}
	if !headed {
		return nil, fmt.Errorf("squeue: no answer: %w", commandError("squeue", r))
	}
	return out, nil
}

func squeueRecord(f []string, cluster string) Record {
	rec := Record{
		Ref: Ref{ID: f[0], Cluster: cluster}, Native: f[1], Token: emptyIfNull(f[2]), Submitted: parseEpoch(f[3]), Started: parseEpoch(f[4]),
		Nodes: emptyIfNull(f[5]), Reason: trimReason(f[6]), Limit: limitSlurm(f[7]), Name: f[8],
	}
	rec.Phase, rec.Cause = phaseSlurm(rec.Native, rec.Reason)
	rec.applyReasons(reasonsSlurm)
	if rec.Phase == adaptor.Queued || rec.Phase == adaptor.Held {
		rec.Started = time.Time{} // only expected
	}
	return rec
}

// clusterOfLine is the name in the line that comes before the jobs of a cluster, if
// several are asked for.
func clusterOfLine(s string) string {
	_, name, _ := strings.Cut(s, "CLUSTER: ")
	name, _, _ = strings.Cut(name, "\n")
	return strings.TrimSpace(name)
}

// querySacct asks the accounting database, for this user's allocations only: root would be
// shown everybody's. Without --duplicates it hides a job whose id another one was given
// later. Of SLURM's commands this is the one that does not heed SLURM_CLUSTERS.
func querySacct(since time.Time, more ...string) Query {
	args := append([]string{
		"--allocations", "--parsable2", "--noconvert", "--duplicates",
		"--starttime=" + since.UTC().Format("2006-01-02T15:04:05"), // the commands run in UTC
		"--format=" + sacctFields, "--delimiter=" + fieldSeparator,
	}, more...)
	return Query{Argv: scriptCommand("sacct", sacctScript, args...), Read: readSacct, NoHistory: noHistorySlurm}
}

const sacctScript = `exec sacct --user="$(id -un)" ${SLURM_CLUSTERS:+"--clusters=$SLURM_CLUSTERS"} "$@"`

var noHistorySlurm = regexp.MustCompile(`(?i)accounting storage is disabled|not running a supported accounting_storage plugin|talking to the database: Access/permission denied`)

// clusterOption names those of jobs that are of others than the commands' own.
func clusterOption(jobs []Ref) []string {
	var names []string
	for _, j := range jobs {
		if j.Cluster == "" {
			return nil
		}
		names = append(names, j.Cluster)
	}
	slices.Sort(names)
	return []string{"--clusters=" + strings.Join(slices.Compact(names), ",")}
}

const sacctFields = "JobIDRaw,State,ExitCode,Submit,Start,End,NodeList,Comment,Reason,JobName"

func readSacct(r runner.Result) ([]Record, error) {
	if err := checkAnswerSlurm("sacct", r); err != nil {
		return nil, err
	}
	out, at, headed := []Record(nil), map[string]int{}, false
	said := decodeText(r.Stdout)
	if said != "" && !strings.HasSuffix(said, "\n") {
		return nil, fmt.Errorf("sacct: its answer ends in %.200q", said[max(0, len(said)-200):])
	}
	for line := range strings.Lines(said) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), fieldSeparator, 10)
		if len(f) != 10 || !slurmID.MatchString(f[0]) {
			headed = headed || f[0] == "JobIDRaw"
			continue // the second line of an odd name or comment
		}
		rec := sacctRecord(f)
		// A job that was requeued has a line for each run; the last one counts.
		if i, ok := at[rec.ID+fieldSeparator+rec.Name]; ok {
			rec.Restarts = out[i].Restarts + 1
			out[i] = rec
			continue
		}
		at[rec.ID+fieldSeparator+rec.Name] = len(out)
		out = append(out, rec)
	}
	if !headed {
		return nil, fmt.Errorf("sacct: no answer: %w", commandError("sacct", r))
	}
	return out, nil
}

func sacctRecord(f []string) Record {
	rec := Record{
		Ref: Ref{ID: f[0]}, Native: f[1], Submitted: parseEpoch(f[3]), Started: parseEpoch(f[4]), EndedAt: parseEpoch(f[5]),
		Nodes: emptyIfNull(f[6]), Token: emptyIfNull(f[7]), Reason: trimReason(f[8]), Name: f[9],
	}
	rec.Phase, rec.Cause = phaseSlurm(rec.Native, rec.Reason)
	rec.applyExitSlurm(f[2])
	rec.applyReasons(reasonsSlurm)
	rec.clearEnd()
	return rec
}

// queryScontrol asks for what the controller still remembers (MinJobAge, 300 s by
// default), where there is no accounting.
func queryScontrol(jobs []Ref) Query {
	return Query{
		Argv: scriptCommand("scontrol", `for id; do scontrol --oneliner show job "$id"; done; true`, idsOf(jobs)...),
		Read: readScontrol,
	}
}

var (
	scontrolJob  = regexp.MustCompile(`(?m)^JobId=`)
	scontrolWord = regexp.MustCompile(`(?:^|\s)(JobState|Reason|ExitCode|SubmitTime|StartTime|EndTime|Restarts|NodeList|Comment)=(\S*)`)
	// scontrolName is up to the field that follows it: a name holds anything.
	scontrolName  = regexp.MustCompile(`(?s)^\S+ (?:Array\w+=\S+ )*(?:HetJob\w+=\S+ )*JobName=(.*?)\s+UserId=`)
	scontrolNoJob = regexp.MustCompile(`Invalid job id specified`)
)

func readScontrol(r runner.Result) ([]Record, error) {
	if err := checkComplete("scontrol", r); err != nil {
		return nil, err
	}
	if said := strings.TrimSpace(decodeText(r.Stderr)); r.Code != 0 || said != "" && !allLinesMatch(said, scontrolNoJob) {
		return nil, commandError("scontrol", r)
	}
	var out []Record
	for _, job := range scontrolJob.Split(decodeText(r.Stdout), -1)[1:] {
		id, _, _ := strings.Cut(job, " ")
		name := scontrolName.FindStringSubmatch(job)
		if !slurmID.MatchString(id) || name == nil {
			continue
		}
		f := map[string]string{}
		for _, m := range scontrolWord.FindAllStringSubmatch(job[len(name[0]):], -1) {
			if _, taken := f[m[1]]; !taken {
				f[m[1]] = m[2]
			}
		}
		rec := Record{
			Ref: Ref{ID: id}, Name: name[1], Token: emptyIfNull(f["Comment"]), Native: f["JobState"], Reason: trimReason(f["Reason"]),
			Submitted: parseEpoch(f["SubmitTime"]), Started: parseEpoch(f["StartTime"]), EndedAt: parseEpoch(f["EndTime"]), Nodes: emptyIfNull(f["NodeList"]),
		}
		rec.Restarts, _ = strconv.Atoi(f["Restarts"])
		rec.Phase, rec.Cause = phaseSlurm(rec.Native, rec.Reason)
		rec.applyExitSlurm(f["ExitCode"])
		rec.applyReasons(reasonsSlurm)
		rec.clearEnd()
		out = append(out, rec)
	}
	return out, nil
}

// tokensSlurm reads the directive with the token in the scripts as they were submitted
// (scontrol(1), write batch_script): scontrol update changes name and comment, and no
// script. Whose script may not be read is another user's job; one of salloc has none.
// scontrol exits with 0 also where it fails (seen with 22.05): what is no script is an error.
func tokensSlurm(jobs []Ref) Query {
	args := make([]string, len(jobs))
	for i, j := range jobs {
		args[i] = j.ID + ";" + j.Cluster
	}
	return Query{Argv: scriptCommand("scontrol", tokensScript, args...), Read: readScripts}
}

const tokensScript = `
for job; do
	id=${job%%;*} cluster=${job#*;}
	text=$(scontrol ${cluster:+"--clusters=$cluster"} write batch_script "$id" - 2>&1)
	case $text in
	*'#!'*) printf '%s %s\n' "$job" "$(printf '%s\n' "$text" | sed -n '/^#SBATCH --comment=/{s///p;q;}')" ;;
	*'ermission denied'* | *'script not specified'*) printf '%s\n' "$job" ;;
	*'Invalid job id'*) ;;
	*) printf '%s\n' "$text" >&2; exit 1 ;;
	esac
done
echo end`

func readScripts(r runner.Result) ([]Record, error) {
	if err := checkAnswerSlurm("scontrol", r); err != nil {
		return nil, err
	}
	body, ended := strings.CutSuffix(decodeText(r.Stdout), "end\n")
	if !ended {
		return nil, fmt.Errorf("scontrol: no whole answer: %w", commandError("scontrol", r))
	}
	var out []Record
	for line := range strings.Lines(body) {
		job, token, _ := strings.Cut(strings.TrimSpace(line), " ")
		if id, cluster, ok := strings.Cut(job, ";"); ok && slurmID.MatchString(id) {
			out = append(out, Record{Ref: Ref{id, cluster}, Token: token})
		}
	}
	return out, nil
}

// checkAnswerSlurm: SLURM's commands print errors and may exit with 0 all the same.
func checkAnswerSlurm(command string, r runner.Result) error {
	if err := checkComplete(command, r); err != nil {
		return err
	}
	stderr := dropKnownLines(decodeText(r.Stderr), harmlessSlurm)
	if r.Code != 0 || strings.Contains(stderr, " error: ") || strings.Contains(stderr, "fatal: ") {
		return commandError(command, r)
	}
	return nil
}

// applyExitSlurm reads <exit code>:<signal> of a job that has ended. Signals that are none
// are SLURM's own: 53 of a job that it could not start, such as one whose output
// cannot be written, 125 of one without memory.
func (r *Record) applyExitSlurm(s string) {
	before, after, _ := strings.Cut(s, ":")
	code, err := strconv.Atoi(before)
	signal, err2 := strconv.Atoi(after)
	switch {
	case err != nil || err2 != nil || r.Phase != adaptor.Ended:
	case signal == signalLaunchFailed && r.Cause == "":
		r.Cause = pilot.BootstrapFailed
	case signal > lastSignal:
	default:
		r.ExitCode, r.Signal, r.Exited = code, signal, true
	}
}

const (
	signalLaunchFailed = 53
	lastSignal         = 31
)

// parseEpoch reads a time as SLURM_TIME_FORMAT=%s writes it, and as SLURM writes it
// where that is not heeded. Zero: none.
func parseEpoch(s string) time.Time {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return time.Unix(n, 0)
	}
	return parseTime(s, "2006-01-02T15:04:05")
}

func trimReason(s string) string { return strings.Trim(emptyIfNull(s), "()") }
