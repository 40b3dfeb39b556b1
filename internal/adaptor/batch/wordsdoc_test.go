package batch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestWordsManual: docs/batch-words.md shows the tables as they are. With -update it is
// written.
func TestWordsManual(t *testing.T) {
	t.Parallel()
	compareGolden(t, "../../../docs/batch-words.md", wordsManual())
}

const wordsIntro = `# Words of batch systems

What the commands of batch systems say, and what Flightlog takes it for. The page is made of the tables that it works with
(` + "`go test ./internal/adaptor/batch -run TestWordsManual -update`" + `). In words, ` + "`…`" + ` stands for anything in a line, ` + "`*`" + ` for anything in a word,
` + "`^`" + ` for the beginning of a line; capitals do not count, and a line that was wrapped counts as one.

Of a submit the first line of a table counts that matches, whatever order the words were said in:

| class | what it means | what follows |
|---|---|---|
| unknown | there may be a job | it is looked for by its token before anything else; if there is none, the submit is tried again |
| not_sent | nothing reached the batch system | it is tried again |
| throttled | refused for now: a limit, a queue that is closed, a server that is busy | it is tried again, ever more seldom, and counts as no failure |
| rejected | refused for good | the pilot fails with these words |

A word in no table is *unknown*; of a shell whose command did not begin (exit code 126 or 127) it is *not_sent*. A sentence that names the job counts whatever stands beside it and however the command exited. A command
that a signal ended has said nothing.
`

// wordsManual is the page.
func wordsManual() string {
	var b strings.Builder
	b.WriteString(wordsIntro)
	var common []Refusal
	for _, d := range dialects {
		var own []Refusal
		for _, r := range d.Refusals {
			switch r.Source {
			case "sh, ld.so", "filters of sites":
				if d == &Slurm {
					common = append(common, r)
				}
			default:
				own = append(own, r)
			}
		}
		fmt.Fprintf(&b, "\n## %s\n\nManual: <%s>\n", d.Name, d.Manual)
		tableOfRefusals(&b, "of a submit", own)
		tableOfSayings(&b, "of a submit that exits with 0 and made no job", d.NotSubmitted)
		tableOfSayings(&b, "of a cancel: the job is gone, or is being ended", d.Gone)
		tableOfSayings(&b, "left out: the command goes on", d.Harmless)
		tableOfStates(&b, d.States)
		tableOfReasons(&b, d.Reasons)
	}
	b.WriteString("\n## Shells and sites\n\nOf no batch system, and so in all tables: what shells say of a command that did not begin (here of `sbatch`), and what sites put before the commands.\n")
	tableOfRefusals(&b, "of a submit", common)
	return b.String()
}

// joinWords joins words as they stand in a table.
func joinWords(sayings []Message) string {
	words := make([]string, len(sayings))
	for i, s := range sayings {
		words[i] = "`" + strings.ReplaceAll(s.Words, "|", `\|`) + "`"
	}
	return strings.Join(words, " · ")
}

func tableOfRefusals(b *strings.Builder, title string, all []Refusal) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| class | listed in | words %s |\n|---|---|---|\n", title)
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(r Refusal) bool { return r.Class != all[0].Class || r.Source != all[0].Source })
		if n < 0 {
			n = len(all)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", all[0].Class, all[0].Source, joinWords(sayingsOf(all[:n], func(r Refusal) Message { return r.Message })))
		all = all[n:]
	}
}

func tableOfSayings(b *strings.Builder, title string, all []Message) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| listed in | words %s |\n|---|---|\n", title)
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(s Message) bool { return s.Source != all[0].Source })
		if n < 0 {
			n = len(all)
		}
		fmt.Fprintf(b, "| %s | %s |\n", all[0].Source, joinWords(all[:n]))
		all = all[n:]
	}
}

func tableOfStates(b *strings.Builder, words map[string]StateMeaning) {
	if len(words) == 0 {
		return
	}
	byMeaning := map[StateMeaning][]string{}
	for _, name := range slices.Sorted(maps.Keys(words)) {
		byMeaning[words[name]] = append(byMeaning[words[name]], "`"+name+"`")
	}
	b.WriteString("\n| phase | cause | states |\n|---|---|---|\n")
	meanings := slices.SortedFunc(maps.Keys(byMeaning), func(x, y StateMeaning) int {
		return cmp.Or(cmp.Compare(x.Phase, y.Phase), cmp.Compare(x.Cause, y.Cause))
	})
	for _, m := range meanings {
		fmt.Fprintf(b, "| %s | %s | %s |\n", m.Phase, m.Cause, strings.Join(byMeaning[m], " "))
	}
}

func tableOfReasons(b *strings.Builder, all []Reason) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\n| cause | listed in | words on how a job ended |\n|---|---|---|\n")
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(r Reason) bool { return r.Cause != all[0].Cause || r.Source != all[0].Source })
		if n < 0 {
			n = len(all)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", all[0].Cause, all[0].Source, joinWords(sayingsOf(all[:n], func(r Reason) Message { return r.Message })))
		all = all[n:]
	}
}

func sayingsOf[T any](all []T, of func(T) Message) []Message {
	out := make([]Message, len(all))
	for i, x := range all {
		out[i] = of(x)
	}
	return out
}
