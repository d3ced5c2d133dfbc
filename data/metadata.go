package data

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/shape"
)

// The keys of [Info.Metadata].
const (
	keyInput      = "input"
	keyTarget     = "target"
	keyClasses    = "classes"
	keyPreprocess = "preprocess"
)

// Metadata returns d as strings that can be stored in a file of weights: "input" and "target" are
// types such as "float32(1,28,28)", "classes" and "preprocess" are JSON. [ParseInfo] reads them.
func (d Info) Metadata() (map[string]string, error) {
	if err := d.Err(); err != nil {
		return nil, prefixed(err)
	}
	m := map[string]string{
		keyInput:      d.Input.String(),
		keyTarget:     d.Target.String(),
		keyPreprocess: encode(d.Preprocess),
	}
	if d.Classes != nil {
		m[keyClasses] = encode(d.Classes)
	}
	return m, nil
}

// ParseInfo returns the Info whose [Info.Metadata] is in m. It ignores other keys.
func ParseInfo(m map[string]string) (d Info, err error) {
	if d.Input, err = parseType(m, keyInput); err != nil {
		return Info{}, err
	}
	if d.Target, err = parseType(m, keyTarget); err != nil {
		return Info{}, err
	}
	if err = decode(m, keyPreprocess, &d.Preprocess); err != nil {
		return Info{}, err
	}
	if m[keyClasses] != "" {
		if err = decode(m, keyClasses, &d.Classes); err != nil {
			return Info{}, err
		}
	}
	if err = d.Err(); err != nil {
		return Info{}, fmt.Errorf("metadata: %w", err)
	}
	return d, nil
}

// encode returns v as JSON. It cannot fail, because Info.Err rejects the numbers that JSON cannot
// represent.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("data: " + err.Error())
	}
	return string(b)
}

func decode(m map[string]string, key string, v any) error {
	s, ok := m[key]
	if !ok {
		return fmt.Errorf("metadata: no %q", key)
	}
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("metadata: %q: %w", key, err)
	}
	return nil
}

// parseType parses the output of shape.Type.String, without symbolic extents.
func parseType(m map[string]string, key string) (shape.Type, error) {
	s := m[key]
	name, dims, _ := strings.Cut(s, "(")
	dims, closed := strings.CutSuffix(dims, ")")
	dtype, known := shape.ParseDType(name)
	if !closed || !known {
		return shape.Type{}, fmt.Errorf("metadata: %q is %q; want a type such as float32(1,28,28)", key, s)
	}
	var extents []shape.Dim
	for d := range strings.SplitSeq(dims, ",") {
		if dims == "" {
			break // a scalar
		}
		n, err := strconv.ParseInt(d, 10, 32)
		if err != nil || n < 0 {
			return shape.Type{}, fmt.Errorf("metadata: %q is %q; want a type such as float32(1,28,28)", key, s)
		}
		extents = append(extents, shape.Dim(n))
	}
	return shape.Make(dtype, extents...), nil
}
