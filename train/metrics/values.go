package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// A Value is a metric with what it measured. NaN means that it is undefined.
type Value struct {
	Name  string
	Value float64
}

// Values are the values of metrics, in the order of the metrics. In JSON they are an object, with
// null for values that are not finite.
type Values []Value

// Get returns the value of a metric; ok is false if there is none of that name.
func (v Values) Get(name string) (value float64, ok bool) {
	for _, m := range v {
		if m.Name == name {
			return m.Value, true
		}
	}
	return 0, false
}

// MarshalJSON implements [json.Marshaler].
func (v Values) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range v {
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, name...), ':')
		b = appendNumber(b, m.Value)
	}
	return append(b, '}'), nil
}

func appendNumber(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Values) UnmarshalJSON(b []byte) error {
	if v == nil {
		return errors.New("metrics: no Values to read into")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	switch open, err := d.Token(); {
	case err != nil:
		return fmt.Errorf("metrics: values: %w", err)
	case open == nil:
		*v = nil
		return nil
	case open != json.Delim('{'):
		return errors.New("metrics: values are not an object")
	}
	*v = nil
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fmt.Errorf("metrics: values: %w", err)
		}
		var number *float64
		if err := d.Decode(&number); err != nil {
			return fmt.Errorf("metrics: value of %v: %w", name, err)
		}
		m := Value{Name: fmt.Sprint(name), Value: math.NaN()}
		if number != nil {
			m.Value = *number
		}
		*v = append(*v, m)
	}
	_, err := d.Token()
	return err
}
