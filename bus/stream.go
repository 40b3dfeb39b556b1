package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// StreamConfig is what may differ between logs.
type StreamConfig struct {
	Replicas int   // 0: 1 for a new log; whatever an existing one has
	MaxBytes int64 // appends are refused beyond; 0: no limit for a new log; whatever an existing one has
}

const (
	// MaxMessage is the most bytes of one event: the usual limit of NATS.
	MaxMessage = 1 << 20
	// headerRoom is what the embedded server allows on top for headers.
	headerRoom = 64 << 10
	// MaxPayload is what a server must let through.
	MaxPayload = MaxMessage + headerRoom
	// maxPerSubject is the most messages of one subject: a runaway writer is refused
	// before it can fill the disk. A pilot that is tried again every ten
	// minutes for a month stays below it.
	maxPerSubject = 10_000
)

// streamConfig is what the log must be. Only its owner may delete from it, by
// position and slowly, when closed managers are put into the archive:
// therefore deletion stays possible here and is withheld by permissions, while
// purging, which stops every writer for as long as it takes, is denied to all.
func streamConfig(cfg StreamConfig) jetstream.StreamConfig {
	s := jetstream.StreamConfig{
		Name: subject.Stream, Description: "flightlog: commands and events of all pilots", Subjects: subject.Stored(),
		Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Compression: jetstream.S2Compression,
		Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: maxPerSubject,
		MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: MaxPayload,
		Duplicates: Dedup, AllowDirect: true, AllowAtomicPublish: true, DenyPurge: true,
		Replicas: max(cfg.Replicas, 1), RePublish: republishRule(),
	}
	if cfg.MaxBytes > 0 {
		s.MaxBytes = cfg.MaxBytes
	}
	return s
}

// republishRule has the log send what it has stored, once it is, as pilots.live.<the rest>:
// whoever subscribes there hears nothing that was refused, and gets the position with it
// (header Nats-Sequence). Users in accounts of their own hear nothing else of the log live
// (package access). The subject is another one, or the log would store it again.
func republishRule() *jetstream.RePublish {
	return &jetstream.RePublish{Source: subject.All, Destination: subject.Live(">")}
}

// EnsureStream creates the log, or checks that the one that is there is as it must
// be: code unsupported lists the differences. A log that an earlier version made
// may lack subjects of this one, and that it sends what it has stored, and nothing else;
// both are added, which no reader or writer of the others notices. Nothing else is ever
// mended. Where only the sending is lacking and the user may not change the log, that is
// logged and no error. It waits for a cluster to find its leader until ctx ends.
func (c *Conn) EnsureStream(ctx context.Context, cfg StreamConfig) error {
	want := streamConfig(cfg)
	var have jetstream.StreamConfig
	err := c.retry(ctx, "ensure the log", func(ctx context.Context) error {
		s, err := c.js.CreateStream(ctx, want)
		if errorCode(err) == errStreamInUse {
			s, err = c.js.Stream(ctx, subject.Stream)
		}
		if err == nil {
			have = s.CachedInfo().Config
		}
		return err
	})
	if err != nil {
		return err
	}
	grown := have
	if more := missingSubjects(want.Subjects, have.Subjects); len(more) > 0 {
		grown.Subjects = slices.Concat(have.Subjects, more)
	}
	if have.RePublish == nil {
		grown.RePublish = want.RePublish
	}
	if err := compareStreams(&want, &grown, cfg); err != nil {
		return err
	}
	return c.extendStream(ctx, &have, &grown)
}

// extendStream adds to the log what it lacks.
func (c *Conn) extendStream(ctx context.Context, have, grown *jetstream.StreamConfig) error {
	if *grown.RePublish != *republishRule() {
		c.log.Warn("live subscriptions hear nothing: the log sends what it has stored elsewhere",
			zap.String("republish", grown.RePublish.Destination))
	}
	lacks := len(have.Subjects) < len(grown.Subjects)
	if !lacks && have.RePublish != nil {
		return nil
	}
	err := c.retry(ctx, "add to the log what this version needs", func(ctx context.Context) error {
		_, err := c.js.UpdateStream(ctx, *grown)
		return err
	})
	if !lacks && pilot.CodeOf(err) == pilot.Denied {
		c.log.Warn("live subscriptions hear nothing until an admin has run 'flightlog-manager --ensure'", zap.Error(err))
		return nil
	}
	return err
}

// missingSubjects are those of want that have lacks.
func missingSubjects(want, have []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(have, s) })
}

func compareStreams(want, have *jetstream.StreamConfig, cfg StreamConfig) error {
	var list []string
	check := func(what string, want, have any) {
		if w, h := fmt.Sprint(want), fmt.Sprint(have); w != h {
			list = append(list, fmt.Sprintf("%s is %s, must be %s", what, h, w))
		}
	}
	check("subjects", sortedCopy(want.Subjects), sortedCopy(have.Subjects))
	check("retention", want.Retention, have.Retention)
	check("storage", want.Storage, have.Storage)
	check("discard", want.Discard, have.Discard)
	check("discard per subject", want.DiscardNewPerSubject, have.DiscardNewPerSubject)
	check("messages per subject", want.MaxMsgsPerSubject, have.MaxMsgsPerSubject)
	check("most messages", want.MaxMsgs, have.MaxMsgs)
	check("message size", want.MaxMsgSize, have.MaxMsgSize)
	check("age limit", want.MaxAge, have.MaxAge)
	check("deduplication window", want.Duplicates, have.Duplicates)
	check("direct reads", want.AllowDirect, have.AllowDirect)
	check("atomic batches", want.AllowAtomicPublish, have.AllowAtomicPublish)
	check("compression", want.Compression, have.Compression)
	check("persistence", want.PersistMode, have.PersistMode)
	check("sealed", want.Sealed, have.Sealed)
	check("acknowledgements", !want.NoAck, !have.NoAck)
	check("rollup", want.AllowRollup, have.AllowRollup)
	check("purging denied", want.DenyPurge, have.DenyPurge)
	check("deleting denied", want.DenyDelete, have.DenyDelete)
	check("transform", want.SubjectTransform == nil, have.SubjectTransform == nil)
	check("mirror or sources", false, have.Mirror != nil || len(have.Sources) > 0)
	if cfg.Replicas > 0 {
		check("replicas", want.Replicas, have.Replicas)
	}
	if cfg.MaxBytes > 0 {
		check("most bytes", want.MaxBytes, have.MaxBytes)
	}
	if len(list) > 0 {
		return pilot.Errorf(pilot.Unsupported, "stream %s is not as this version needs it: %s", subject.Stream, strings.Join(list, "; "))
	}
	return nil
}

func sortedCopy(s []string) []string { return slices.Sorted(slices.Values(s)) }
