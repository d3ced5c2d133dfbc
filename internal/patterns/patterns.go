package patterns

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/plexaura/plexaura/internal/plain"
)

// Any reports whether name matches one of patterns. A malformed pattern matches nothing.
func Any(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return Match(pattern, name) })
}

// Match reports whether name matches a pattern. A malformed one matches nothing.
func Match(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

// Check returns an error that lists the malformed patterns of a field or flag.
func Check(field string, patterns []string) (err error) {
	for _, pattern := range patterns {
		if _, e := path.Match(pattern, ""); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: invalid pattern %q: %w", field, pattern, e))
		}
	}
	return err
}

// Used returns an error if one of the patterns of a field or flag is malformed, or matches none of names. It has
// names that are near.
func Used(field string, patterns, names []string) error {
	if err := Check(field, patterns); err != nil {
		return err
	}
	for _, pattern := range patterns {
		if slices.ContainsFunc(names, func(name string) bool { return Match(pattern, name) }) {
			continue
		}
		hint := ""
		if like := near(pattern, names); len(like) > 0 {
			hint = "; near it are " + plain.Names(like, len(like))
		}
		return fmt.Errorf("%s: %q matches no parameter%s", field, plain.Name(pattern), hint)
	}
	return nil
}
