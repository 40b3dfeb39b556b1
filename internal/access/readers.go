package access

import "github.com/flightlog/flightlog/internal/subject"

// readerSubjects returns all subjects at which readers ask managers.
func readerSubjects() []string {
	subjects := []string{subject.ConsumerCreate}
	for _, verb := range subject.ReaderVerbs() {
		subjects = append(subjects, verb.JetStream()+".>")
	}
	return subjects
}

// acknowledged returns all of a user's consumers whose messages it may acknowledge.
func acknowledged(user string) []string {
	names := append(subject.MadeConsumers(user, "", false), subject.MadeConsumers(user, "", true)...)
	for slot := range subject.TailSlots {
		names = append(names, subject.TailConsumer(user, slot))
	}
	return names
}

// pulled returns all of a user's consumers that it may ask for messages.
func pulled(user string) []string {
	names := subject.MadeConsumers(user, "", false)
	for serial := range subject.MadeSerials {
		names = append(names, subject.MadeConsumers(user, subject.OrderedConsumer(user, serial+1), false)...)
	}
	for slot := range subject.TailSlots {
		names = append(names, subject.TailConsumer(user, slot))
	}
	return names
}
