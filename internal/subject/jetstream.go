package subject

// Subjects of the servers themselves.
const (
	JetStreamPrefix = "$JS." // of JetStream's API, acknowledgements and flow control
	KeyValuePrefix  = "$KV."
	MicroPrefix     = "$SRV." // discovery of services (ADR-32 of NATS)

	JetStreamAPI = JetStreamPrefix + "API."
	HubPrefix    = JetStreamPrefix + "hub.API." // how a site's server passes the API on, as a leaf node
	AckPrefix    = JetStreamPrefix + "ACK."
	FlowPrefix   = JetStreamPrefix + "FC."

	AccountInfo = JetStreamAPI + "INFO"
	StreamNames = JetStreamAPI + "STREAM.NAMES"
	DirectGet   = JetStreamAPI + "DIRECT.GET." + Stream

	// What is asked about consumers of the log; a dot and the consumer's name follow.
	ConsumerCreate  = JetStreamAPI + "CONSUMER.CREATE." + Stream // a filter may follow the name
	ConsumerDurable = JetStreamAPI + "CONSUMER.DURABLE.CREATE." + Stream
	ConsumerInfo    = JetStreamAPI + "CONSUMER.INFO." + Stream
	ConsumerDelete  = JetStreamAPI + "CONSUMER.DELETE." + Stream
	ConsumerNext    = JetStreamAPI + "CONSUMER.MSG.NEXT." + Stream
)

// StreamCreate returns where a stream is made.
func StreamCreate(stream string) string { return JetStreamAPI + "STREAM.CREATE." + stream }

// StreamInfo returns where a stream is asked about.
func StreamInfo(stream string) string { return JetStreamAPI + "STREAM.INFO." + stream }

// MessageGet returns where the leader of a stream is asked for a message.
func MessageGet(stream string) string { return JetStreamAPI + "STREAM.MSG.GET." + stream }

// InDomain returns the prefix of JetStream's API in a domain.
func InDomain(domain string) string { return JetStreamPrefix + domain + ".API." }

// Acks returns patterns of where messages of a consumer are acknowledged; servers with a
// domain use the second form (ADR-15 of NATS). The words are counted, for an acknowledgement
// may ask for the next message: were the second form open at its end, the first form of any
// other consumer would fit it, with this one's name in place of numbers. (nats-server 2.15.2,
// consumer.go: ackSubjOld has nine words, ackSubj eleven or more.)
func Acks(consumer string) []string {
	return []string{
		AckPrefix + Stream + "." + consumer + ".*.*.*.*.*",
		AckPrefix + "*.*." + Stream + "." + consumer + ".*.*.*.*.>",
	}
}

// Flow returns patterns of where a consumer is told that what it has pushed was taken,
// in the same two forms.
func Flow(consumer string) []string {
	return []string{FlowPrefix + Stream + "." + consumer + ".*", FlowPrefix + "*.*." + Stream + "." + consumer + ".*"}
}
