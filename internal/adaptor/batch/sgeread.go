package batch

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// qstatJob is a job_list of qstat -xml.
type qstatJob struct {
	ID        string `xml:"JB_job_number"`
	Name      string `xml:"JB_name"`
	Full      string `xml:"full_job_name"` // with -r; JB_name may be cut
	State     string `xml:"state"`
	Submitted string `xml:"JB_submission_time"`
	Started   string `xml:"JAT_start_time"`
	Queue     string `xml:"queue_name"`
	Tasks     string `xml:"tasks"`
	Requests  []struct {
		Name  string `xml:"name,attr"`
		Value string `xml:",chardata"`
	} `xml:"hard_request"` // with -r
}

const endXML = "</job_info>"

// readQstatXML reads qstat -xml, which is whole if the outermost element is
// closed, and what qstat -j says after it.
func readQstatXML(r runner.Result) ([]Record, error) {
	if err := checkComplete("qstat", r); err != nil {
		return nil, err
	}
	said := decodeText(r.Stdout)
	end := strings.LastIndex(said, endXML)
	if r.Code != 0 || end < 0 {
		return nil, fmt.Errorf("qstat: no whole answer: %w", commandError("qstat", r))
	}
	jobs, err := decodeQstat(said[:end+len(endXML)])
	if err != nil {
		return nil, fmt.Errorf("qstat: %w", err)
	}
	why := readErrorsSGE(said[end+len(endXML):])
	out := make([]Record, 0, len(jobs))
	for i := range jobs {
		out = append(out, jobs[i].toRecord(why))
	}
	return out, nil
}

// decodeQstat gives every job_list, wherever it stands: with -f they stand below
// queues, without it in two lists.
func decodeQstat(s string) ([]qstatJob, error) {
	if i := strings.Index(s, "<?xml"); i > 0 {
		s = s[i:] // a banner
	}
	d := xml.NewDecoder(strings.NewReader(strings.Map(replaceForbidden, s)))
	d.Strict = false
	depth, seen := 0, false
	var out []qstatJob
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.ProcInst, xml.CharData, xml.Comment, xml.Directive:
		case xml.EndElement:
			if depth--; depth == 0 && seen {
				return out, nil
			}
		case xml.StartElement:
			if t.Name.Local != "job_list" {
				depth, seen = depth+1, true
				continue
			}
			var job qstatJob
			if err := d.DecodeElement(&job, &t); err != nil {
				return nil, err
			}
			out = append(out, job)
		}
	}
}

// replaceForbidden replaces what XML forbids; names may hold it.
func replaceForbidden(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
		return '?'
	}
	return r
}

func (j *qstatJob) toRecord(why map[string]string) Record {
	rec := Record{
		Ref: Ref{ID: strings.TrimSpace(j.ID)}, Name: j.Full, Native: strings.TrimSpace(j.State),
		Submitted: timeSGE(j.Submitted), Started: timeSGE(j.Started),
	}
	if rec.Name == "" {
		rec.Name = j.Name
	}
	rec.Phase = phaseSGE(rec.Native)
	rec.Restarts = strings.Count(rec.Native, "R")
	if strings.Contains(rec.Native, "E") {
		rec.Reason = rec.Native + ": qstat -j " + rec.ID + " says why"
		if said := why[rec.ID]; said != "" {
			rec.Reason = rec.Native + ": " + said
		}
	}
	for _, r := range j.Requests {
		if r.Name == "h_rt" {
			rec.Limit = parseClock(r.Value)
		}
	}
	if _, host, ok := strings.Cut(j.Queue, "@"); ok {
		rec.Nodes = host
	}
	if j.Tasks != "" {
		rec.ID += "." + j.Tasks // of an array
	}
	return rec
}

// readErrorsSGE reads the error reasons of qstat -j by job.
func readErrorsSGE(s string) map[string]string {
	out, id := map[string]string{}, ""
	for line := range strings.Lines(s) {
		key, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); {
		case key == "job_number":
			id = value
		case strings.HasPrefix(key, "error reason") && out[id] == "":
			out[id] = errorPrefix.ReplaceAllString(value, "")
		}
	}
	return out
}

// readContexts reads the tokens in the contexts that qstat -j shows. Of jobs that do not
// exist it says so, and exits with 1 where there is none besides.
func readContexts(r runner.Result) ([]Record, error) {
	if err := checkComplete("qstat", r); err != nil {
		return nil, err
	}
	_, gone := strings.CutPrefix(strings.TrimSpace(decodeText(r.Stderr)), "Following jobs do not exist")
	if r.Code != 0 && !gone {
		return nil, commandError("qstat", r)
	}
	var out []Record
	for line := range strings.Lines(decodeText(r.Stdout)) {
		key, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); {
		case key == "job_number" && terseSubmit.MatchString(value):
			out = append(out, Record{Ref: Ref{ID: value}})
		case key == "context" && len(out) > 0:
			for pair := range strings.SplitSeq(value, ",") {
				if token, ok := strings.CutPrefix(pair, "PILOT_TOKEN="); ok {
					out[len(out)-1].Token = token
				}
			}
		}
	}
	return out, nil
}

// errorPrefix is what stands before the reason: when, and whose process.
var errorPrefix = regexp.MustCompile(`^\d+/\d+/\d+ \d+:\d+:\d+ \[\d+:\d+\]: (?:error: )?`)

// timeSGE reads the times of every version: qstat's ISO 8601, with parts of seconds
// since Univa 8.2, qacct's of ctime(3) and Univa's with slashes.
func timeSGE(s string) time.Time {
	if t := parseEpoch(s); !t.IsZero() {
		return t
	}
	return parseTime(s, "2006-01-02T15:04:05.999", "Mon Jan 2 15:04:05 2006", "01/02/2006 15:04:05.999")
}
