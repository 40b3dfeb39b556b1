package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// jsonItems reads JSON values that stand one behind the other, or what comes before the
// first that is none.
func jsonItems(b []byte) (items []item, values int, err error) {
	r := jsonReader{text: b}
	if !utf8.Valid(b) {
		return nil, 0, &syntaxError{why: "it is not UTF-8"}
	}
	for at := bytes.IndexByte(b, '\n'); at >= 0; {
		r.ends = append(r.ends, at)
		next := bytes.IndexByte(b[at+1:], '\n')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		switch err := r.readValue(dec); {
		case errors.Is(err, io.EOF):
			return r.items, r.values, nil
		case err != nil:
			return r.items, r.values, r.syntaxErrorAt(err, int(dec.InputOffset()))
		}
	}
}

type jsonReader struct {
	text   []byte
	ends   []int // offsets of the ends of lines
	items  []item
	values int
}

// lineAt is that of an offset.
func (r *jsonReader) lineAt(offset int) int {
	n, _ := slices.BinarySearch(r.ends, offset)
	return n + 1
}

func (r *jsonReader) syntaxErrorAt(err error, at int) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = max(int(syntax.Offset)-1, 0)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		at = len(bytes.TrimRight(r.text, " \r\n\t"))
		err = errors.New("it ends too early: a bracket or quote is not closed")
	}
	return &syntaxError{r.lineAt(at), err.Error()}
}

// readValue reads one value of the text: a description or a list of them.
func (r *jsonReader) readValue(dec *json.Decoder) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	start := int(dec.InputOffset()) - len(raw)
	if string(raw) == "null" {
		return nil
	}
	r.values++
	switch raw[0] {
	default:
		r.readItem(raw, start)
	case '[':
		forEachEntry(raw, func(_ string, at int, value json.RawMessage) { r.readItem(value, start+at) })
	}
	return nil
}

func (r *jsonReader) readItem(raw json.RawMessage, start int) {
	x := item{line: r.lineAt(start), json: raw}
	if raw[0] == '{' {
		r.readFields(&x, "", raw, start)
	}
	r.items = append(r.items, x)
}

// readFields notes where the fields of an item stand, and the entries of those that have
// some; a field that stands there twice would be lost without a word.
func (r *jsonReader) readFields(x *item, of string, raw json.RawMessage, start int) {
	forEachEntry(raw, func(name string, at int, value json.RawMessage) {
		field, line := of+name, r.lineAt(start+at)
		if first, known := x.lines[field]; known && raw[0] == '{' {
			x.addDuplicate(field, first, line)
			return
		}
		x.setLine(field, line)
		switch {
		case of != "":
		case name == "arguments" && value[0] == '[':
			r.readFields(x, name, value, start+at)
		case (name == "environment" || name == "labels") && value[0] == '{':
			r.readFields(x, name+".", value, start+at)
		}
	})
}

// forEachEntry walks the entries of a list or an object that is well-formed. name is "[3]" or
// that of a field, at the offset of what stands behind it, which is its value's.
func forEachEntry(raw json.RawMessage, do func(name string, at int, value json.RawMessage)) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	for i := 0; err == nil && dec.More(); i++ {
		name := "[" + strconv.Itoa(i) + "]"
		if open == json.Delim('{') {
			var key json.Token
			if key, err = dec.Token(); err != nil {
				return
			}
			name, _ = key.(string)
		}
		var value json.RawMessage
		if err = dec.Decode(&value); err == nil {
			do(name, int(dec.InputOffset())-len(value), value)
		}
	}
}
