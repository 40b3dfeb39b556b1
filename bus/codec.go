package bus

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// encoding is how a request came, and how its answer goes.
type encoding string

const (
	headerContent            = "Content-Type"
	encodingJSON    encoding = "application/json"
	encodingMsgpack encoding = "application/msgpack"
)

// encodingOf is what the header says; without one, what the first byte shows:
// no msgpack map begins with '{' or white space, and nothing at all is JSON.
func encodingOf(header string, data []byte) (encoding, error) {
	name, _, _ := strings.Cut(header, ";")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "application/json", "text/json":
		return encodingJSON, nil
	case "application/msgpack", "application/x-msgpack", "application/vnd.msgpack":
		return encodingMsgpack, nil
	case "":
		if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] != '{' {
			return encodingMsgpack, nil
		}
		return encodingJSON, nil
	default:
		return encodingJSON, pilot.Errorf(pilot.Unsupported, "content type %.80q is neither %s nor %s", header, encodingJSON, encodingMsgpack)
	}
}

// toJSON gives a request as JSON.
func (e encoding) toJSON(data []byte) ([]byte, error) {
	if e != encodingMsgpack || len(data) == 0 {
		return data, nil
	}
	if err := events.CheckFrame(data); err != nil {
		return nil, err
	}
	var value any
	if err := msgpack.Unmarshal(data, &value); err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "the request is not msgpack with text keys: %w", err)
	}
	value, err := toJSONValue(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// toJSONValue replaces binaries by the text they hold, and refuses what JSON has
// no word for.
func toJSONValue(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			if !utf8.ValidString(name) {
				return nil, pilot.Errorf(pilot.Invalid, "key %.64q is not UTF-8", name)
			}
			if v[name], err = toJSONValue(v[name]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = toJSONValue(v[i]); err != nil {
				return nil, err
			}
		}
	case []byte:
		return toJSONValue(string(v)) // some writers know no text type
	case string:
		if !utf8.ValidString(v) {
			return nil, pilot.Errorf(pilot.Invalid, "%.64q is not UTF-8", v)
		}
	case float32:
		return toJSONValue(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, pilot.Errorf(pilot.Invalid, "%v is no number", v)
		}
	}
	return value, nil
}

// fromJSON gives an answer in the encoding.
func (e encoding) fromJSON(data []byte) ([]byte, error) {
	if e != encodingMsgpack {
		return data, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	err := enc.Encode(normalizeNumbers(value))
	return buf.Bytes(), err
}

// normalizeNumbers makes integers of numbers that are some, and floats of the others.
func normalizeNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = normalizeNumbers(v[name])
		}
	case []any:
		for i := range v {
			v[i] = normalizeNumbers(v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return value
}
