package plain

import "strings"

// Prefixed adds the name of a package to err, as in "data: no example 7", unless err is nil. If the
// message already contains the name, because one function of the package has called another through
// an interface, the result has it once: "data: example 5: no room" for "example 5: data: no room".
func Prefixed(name string, err error) error {
	if err == nil {
		return nil
	}
	return &prefixed{name + ": ", err}
}

type prefixed struct {
	prefix string
	err    error
}

func (p *prefixed) Error() string {
	text := p.err.Error()
	for strings.HasPrefix(text, p.prefix) {
		text = text[len(p.prefix):]
	}
	for _, before := range []string{": ", "\n"} {
		text = strings.ReplaceAll(text, before+p.prefix, before)
	}
	return p.prefix + text
}

func (p *prefixed) Unwrap() error { return p.err }

// Repeats returns a part between colons that occurs twice in an error message, such as "train" in
// "train: epoch 2: train: no model", or "". It is for tests.
func Repeats(message string) string {
	for _, line := range strings.Split(message, "\n") {
		said := map[string]bool{}
		for _, part := range strings.Split(line, ": ") {
			if part != "" && said[part] {
				return part
			}
			said[part] = true
		}
	}
	return ""
}
