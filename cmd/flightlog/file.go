package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	goyaml "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"

	"github.com/flightlog/flightlog/pilot"
)

// maxFile bounds what is read of a file: a list of api.MaxItems descriptions
// of the greatest size would still fit many times.
const maxFile = 256 << 20

func readFile(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the caller's own file
		if err != nil {
			return nil, misused("%v", err)
		}
		defer f.Close() //nolint:errcheck // only read
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, misused("%s is a directory, not a file of descriptions", name)
		}
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = invalid("%s is longer than %d MB", name, maxFile>>20)
	}
	return b, err
}

// parseItems reads the descriptions of a file, each as JSON: one, a list, or
// several of either as YAML documents or JSON values one behind the other. A
// file that holds something else too is refused as a whole, and so is one that
// holds nothing.
func parseItems(b []byte) ([]json.RawMessage, error) {
	values, err := jsonValues(b)
	if err != nil {
		var unread error
		if values, unread = yamlValues(b); unread != nil {
			return nil, invalid("is neither JSON (%v) nor YAML (%v)", err, unread)
		}
	}
	if len(values) == 0 {
		return nil, invalid("holds no description")
	}
	var items []json.RawMessage
	for _, value := range values {
		if value[0] != '[' {
			items = append(items, value)
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return nil, invalid("holds a list that cannot be read: %v", err)
		}
		items = append(items, list...)
	}
	return items, nil
}

// jsonValues splits JSON values that stand one behind the other.
func jsonValues(b []byte) ([]json.RawMessage, error) {
	var all []json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		var value json.RawMessage
		switch err := dec.Decode(&value); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case string(value) != "null":
			if err := unique(json.NewDecoder(bytes.NewReader(value))); err != nil {
				return nil, err
			}
			all = append(all, value)
		}
	}
}

// unique refuses an object that names a field twice: one of the values would
// be lost without a word. What dec reads is well-formed.
func unique(dec *json.Decoder) error {
	open, err := dec.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return err
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == json.Delim('{') {
			token, err := dec.Token()
			if err != nil {
				return err
			}
			name := fmt.Sprint(token)
			if seen[name] {
				return fmt.Errorf("%.64q is there twice", name)
			}
			seen[name] = true
		}
		if err := unique(dec); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// yamlValues gives the documents of a YAML stream as JSON, without empty ones.
func yamlValues(b []byte) ([]json.RawMessage, error) {
	var all []json.RawMessage
	dec := goyaml.NewDecoder(bytes.NewReader(b))
	dec.SetStrict(true)
	for {
		var document any
		switch err := dec.Decode(&document); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case document == nil:
			continue
		}
		text, err := goyaml.Marshal(document)
		if err != nil {
			return nil, err
		}
		value, err := yaml.YAMLToJSON(text)
		if err != nil {
			return nil, err
		}
		all = append(all, bytes.TrimSpace(value))
	}
}

// decoded reads the items of a request, and tells every fault of all of them.
func decoded(items []json.RawMessage) ([]pilot.Description, []pilot.Fault) {
	all := make([]pilot.Description, len(items))
	var faults []pilot.Fault
	for i, item := range items {
		var more []pilot.Fault
		all[i], more = pilot.DecodeDescription(i, item)
		faults = append(faults, more...)
	}
	return all, faults
}

// judged adds to the faults of reading those of the values that were read, item
// by item. A field that could not be read is not called missing as well.
func judged(all []pilot.Description, unread []pilot.Fault) error {
	type place struct {
		index int
		field string
	}
	known := map[place]bool{}
	for _, f := range unread {
		known[place{f.Index, f.Field}] = true
	}
	var faults []pilot.Fault
	for i := range all {
		for len(unread) > 0 && unread[0].Index == i {
			faults, unread = append(faults, unread[0]), unread[1:]
		}
		if known[place{i, ""}] {
			continue
		}
		for _, f := range all[i].Validate(i) {
			if !known[place{i, f.Field}] {
				faults = append(faults, f)
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &pilot.Error{Code: pilot.Invalid, Op: "read descriptions", Faults: faults}
}

func invalid(format string, args ...any) error {
	return &pilot.Error{Code: pilot.Invalid, Message: fmt.Sprintf(format, args...)}
}
