package batch

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/oklog/ulid/v2"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// newUID is like those that the service makes, but never like the one before.
func newUID(prefix string) string {
	return prefix + strings.ToLower(ulid.MustNew(ulid.Now(), rand.Reader).String())
}

// manyJobs are jobs as squeue shows them, of pilots whose uids the service made.
func manyJobs(n int) []Record {
	jobs := make([]Record, n)
	manager := newUID("pmgr-")
	for i := range jobs {
		key := pilot.Key{Manager: manager, Pilot: newUID("pilot-")}
		token := key.Token(1, time.UnixMilli(1_795_000_000_000))
		jobs[i] = Record{
			Ref: Ref{ID: fmt.Sprint(4200000 + i*3)}, Name: key.Pilot + "." + render.Tag(token), Token: token,
			Native: "PENDING", Phase: adaptor.Queued, Reason: "Priority", Submitted: time.Unix(1_795_000_000+int64(i), 0),
		}
		if i%2 == 0 {
			jobs[i].Native, jobs[i].Phase, jobs[i].Reason = "RUNNING", adaptor.Running, "None"
			jobs[i].Started, jobs[i].Nodes = jobs[i].Submitted.Add(time.Hour), fmt.Sprintf("node[%04d-%04d]", i%5000, i%5000+3)
		}
	}
	return jobs
}

// natsPayload is what a NATS server takes by default; header what bus leaves free.
const natsPayload, busHeader = 1 << 20, 1 << 10

func TestFifteenThousandJobsFitIntoAMessage(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 10_000, 15_000} {
		packed, err := PackJobs(manyJobs(n))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d jobs: %d bytes, %.1f each", n, len(packed), float64(len(packed))/float64(n))
		if len(packed) > natsPayload-busHeader-headLimit {
			t.Errorf("%d jobs are %d bytes", n, len(packed))
		}
	}
}

func TestWhatIsUnpackedIsWhatWasPacked(t *testing.T) {
	t.Parallel()
	jobs := manyJobs(20)
	jobs = append(jobs,
		Record{
			Ref: Ref{"7", "big"}, Name: "p." + render.Tag("m.p.1.0"), Phase: adaptor.Ended, Native: "CANCELLED by 1001",
			Cause: pilot.JobCanceledByThem, ExitCode: 3, Exited: true, Signal: 9, Restarts: 2, Limit: 90 * time.Minute, EndedAt: time.Unix(1_795_000_000, 0),
		},
		Record{Ref: Ref{ID: "8"}, Token: "m.p.2.0", Phase: adaptor.Running, Reason: "a|b\n\x1e\"ü"},
	)
	packed, err := PackJobs(slices.Concat(
		[]Record{{Ref: Ref{ID: "1"}, Name: "somebody's", Phase: adaptor.Running}}, jobs,
		[]Record{{Ref: Ref{ID: "2"}, Name: "x." + render.Tag("m.p.1.0"), Token: "a comment", Phase: adaptor.Running}},
	))
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnpackJobs(packed)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, jobs) {
		t.Errorf("got %+v\nwant %+v", got, jobs)
	}
}

func TestNothingPackedIsNothing(t *testing.T) {
	t.Parallel()
	packed, err := PackJobs(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := UnpackJobs(packed); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func compress(plain string) []byte {
	return s2.Encode(nil, []byte(plain))
}

func TestWhatIsNoListingIsRefused(t *testing.T) {
	t.Parallel()
	for name, packed := range map[string][]byte{
		"nonsense":       []byte("nonsense"),
		"too long":       make([]byte, packedLimit+1),
		"a bomb":         compress(strings.Repeat("{}\n", plainLimit/3+1)),
		"many":           compress(strings.Repeat(`{"i":"1","t":"m.p.1.0","p":"queued"}`+"\n", jobsLimit+1)),
		"an odd phase":   compress(`{"i":"1","t":"m.p.1.0","p":"asleep"}`),
		"never shown":    compress(`{"i":"1","t":"m.p.1.0","p":"vanished"}`),
		"no id":          compress(`{"t":"m.p.1.0","p":"queued"}`),
		"not ours":       compress(`{"i":"1","n":"x","p":"queued"}`),
		"another's type": compress(`{"i":1,"t":"m.p.1.0","p":"queued"}`),
		"cut":            compress(`{"i":"1","t":"m.p.1.0","p":"queued"}`)[:20],
	} {
		if jobs, err := UnpackJobs(packed); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: %d jobs, %v", name, len(jobs), err)
		}
	}
}

func TestQuestionsAndAnswersComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	q := ListingRequest{MaxAge: 30 * time.Second, Wait: time.Minute, SeenID: "x-1"}
	b, err := q.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeListingRequest(b); err != nil || got != q {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, a := range []*ListingReply{
		{ID: "x-2", Offset: -time.Second, Jobs: []byte("jobs\n\x00")},
		{Failed: strings.Repeat("ä\"\n", 20_000)},
	} {
		b, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeListingReply(b)
		if err != nil || got.ID != a.ID || got.Offset != a.Offset || !bytes.Equal(got.Jobs, a.Jobs) ||
			!strings.HasPrefix(a.Failed, strings.TrimSuffix(got.Failed, "…")) || (got.Failed == "") != (a.Failed == "") {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	packed, err := PackJobs(manyJobs(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add(compress(`{"i":"1","t":"m.p.1.0","p":"queued"}`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		jobs, err := UnpackJobs(b)
		if err != nil {
			return
		}
		again, err := PackJobs(jobs)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := UnpackJobs(again); err != nil || len(back) != len(jobs) {
			t.Fatalf("%d jobs came back as %d, %v", len(jobs), len(back), err)
		}
	})
}

// FuzzUnpackLines goes past the compression, where the fuzzer does not get by
// itself.
func FuzzUnpackLines(f *testing.F) {
	f.Add(`{"i":"1","t":"m.p.1.0","p":"queued","q":-9223372036854775808,"z":9223372036854775807}`)
	f.Add("{\"i\":\"1\",\"n\":\"a.abcdefghij\",\"p\":\"ended\"}\n\n")
	f.Fuzz(func(t *testing.T, plain string) {
		if jobs, err := UnpackJobs(compress(plain)); err == nil {
			for i := range jobs {
				if !jobs[i].IsPilotJob() || jobs[i].ID == "" {
					t.Fatalf("%+v passed", jobs[i])
				}
			}
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	f.Add([]byte("{\"id\":\"a\",\"offset\":-5}\nxyz"))
	f.Add([]byte("{\"failed\":\"no\"}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := DecodeListingReply(b); err == nil && len(a.Jobs) >= len(b) {
			t.Fatalf("%d bytes of jobs in %d", len(a.Jobs), len(b))
		}
		if q, err := DecodeListingRequest(b); err == nil && (q.Wait <= 0 || q.MaxAge < 0) {
			t.Fatalf("%+v passed", q)
		}
	})
}

func BenchmarkPack(b *testing.B) {
	jobs := manyJobs(10_000)
	for b.Loop() {
		if _, err := PackJobs(jobs); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	packed, err := PackJobs(manyJobs(10_000))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := UnpackJobs(packed); err != nil {
			b.Fatal(err)
		}
	}
}
