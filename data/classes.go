package data

import (
	"fmt"
	"math"
	"strconv"

	"github.com/plexaura/plexaura/internal/plain"
)

// ClassIndex finds the number of a class that is given by its name or its number, as in the files of a
// dataset or on a command line. The zero ClassIndex knows no names, and takes any number.
type ClassIndex struct {
	names   []string
	numbers map[string]int32
	digits  bool // a name is a number: then numbers are not known otherwise
}

// NewClassIndex returns the index of classes with these names, in the order of their numbers, such as
// [Info.Classes]. Of equal names it finds the first. Nil means that classes have no names.
func NewClassIndex(names []string) ClassIndex {
	x := ClassIndex{names: names, numbers: make(map[string]int32, len(names))}
	for i, name := range names {
		if _, twice := x.numbers[name]; !twice {
			x.numbers[name] = int32(i)
		}
		_, err := strconv.Atoi(name)
		x.digits = x.digits || err == nil
	}
	return x
}

// Number returns the number of the class called text, or else the number that text is, 0 to the number
// of classes - 1. Where a name is itself a number, as those of digits are, a text is a name. An error is one line
// that says which classes there are.
func (x ClassIndex) Number(text string) (int32, error) {
	if n, ok := x.numbers[text]; ok {
		return n, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	switch isNumber := err == nil && n >= 0; {
	case x.names == nil && isNumber:
		return int32(n), nil
	case x.names == nil:
		return 0, fmt.Errorf("no class %.40q; want a number from 0 to %d", text, math.MaxInt32)
	case isNumber && !x.digits && int(n) < len(x.names):
		return int32(n), nil
	}
	const shown = 10
	return 0, fmt.Errorf("no class %.40q; there are %d: %s", text, len(x.names), plain.Names(x.names, shown))
}
