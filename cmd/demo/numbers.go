package main

import (
	"flag"
	"fmt"
	"math"
	"time"

	"github.com/plexaura/plexaura/data"
)

// span is what a number may be. Where zero is set, 0 may be given too, and means that.
type span struct {
	least, most float64
	zero        string
}

// spans has a row for each flag that is a number or, in seconds, a time, in whatever command.
func spans() map[string]span {
	const (
		little = 1e-12
		images = 1e9
	)
	return map[string]span{
		"batch":           {least: 1, most: 1 << 16},
		"channels":        {least: 1, most: 4096},
		"decay":           {little, 1e3, "none"},
		"delay":           {1e-6, 60, "none"},
		"epochs":          {least: 1, most: 1e6},
		"gamma":           {little, 1, "the model's own"},
		"limit":           {1, images, "all"},
		"lr":              {little, 1e6, "the model's own"},
		"max-batch":       {least: 1, most: 1024},
		"n":               {1, images, "all"},
		"patience":        {1, 1e6, "never"},
		"queue":           {least: 1, most: 1 << 16},
		"random":          {1, 1e15, "none"},
		"rounds":          {least: 1, most: 1e4},
		"seed":            {least: 0, most: math.MaxUint64},
		"shards":          {1, 1 << 16, "one for each rank"},
		"shuffle-buffer":  {1, data.MaxBuffer, "1,000"},
		"split":           {1e-3, .999, "no split"},
		"step":            {1, 1e6, "the model's own"},
		"steps-per-epoch": {1, images, "all"},
		"test-limit":      {1, images, "all"},
		"threads":         {least: 1, most: 1024},
		"clients":         {1, 1024, "none"},
		"timeout":         {least: 1e-3, most: 3600},
		"tolerance":       {1e-12, 1, "the same numbers"},
		"top":             {least: 1, most: 1e6},
		"trace-steps":     {least: 1, most: 1e6},
		"unfreeze-at":     {2, 1e6, "never"},
		"workers":         {1, 256, "none"},
	}
}

// checkNumbers refuses flags that are out of their range.
func checkNumbers(flags *flag.FlagSet) (err error) {
	flags.VisitAll(func(f *flag.Flag) {
		if g, ok := f.Value.(flag.Getter); ok && err == nil {
			err = checkNumber(f.Name, g.Get())
		}
	})
	return err
}

// checkNumber refuses the value of a flag that is out of its range.
func checkNumber(name string, value any) error {
	s, known := spans()[name]
	v, number := float(value)
	if !known || !number || v == 0 && s.zero != "" || v >= s.least && v <= s.most {
		return nil
	}
	or := ""
	if s.zero != "" {
		or = ", or 0 for " + s.zero
	}
	unit := ""
	if _, ok := value.(time.Duration); ok {
		unit = " seconds"
	}
	return usagef("-%s %v: at least %s and at most %s%s%s", name, value, bound(s.least), bound(s.most), unit, or)
}

// bound prints whole numbers in full.
func bound(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return thousands(int(v))
	}
	return fmt.Sprint(v)
}

func float(value any) (v float64, ok bool) {
	switch n := value.(type) {
	case int:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float64:
		return n, true
	case time.Duration:
		return n.Seconds(), true
	}
	return 0, false
}
