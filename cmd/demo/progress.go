package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/plexaura/plexaura/train"
)

// progress shows a run: a bar on a terminal, a line an epoch elsewhere.
type progress struct {
	out    io.Writer
	bar    bool
	epochs int
	shown  time.Time
	width  int // of the bar on the screen
}

func newProgress(out io.Writer, epochs int) *progress {
	f, ok := out.(*os.File)
	return &progress{out: out, epochs: epochs, bar: ok && term.IsTerminal(int(f.Fd()))}
}

// often bounds how often the bar is drawn.
const often = 100 * time.Millisecond

func (p *progress) step(s train.Step) error {
	if !p.bar || time.Since(p.shown) < often && s.Batch < s.Batches {
		return nil
	}
	p.shown = time.Now()
	rate := float64(s.Timed) / max(s.Seconds, 1e-9)
	left := time.Duration(s.Seconds / float64(max(s.Batch, 1)) * float64(s.Batches-s.Batch+(p.epochs-s.Epoch)*s.Batches) * float64(time.Second))
	p.draw(fmt.Sprintf("epoch %d/%d %s %6.0f images/s  loss %.4f  ETA %s", s.Epoch, p.epochs, bar(s.Batch, s.Batches), rate, s.SoFar.Loss(), left.Round(time.Second)))
	return nil
}

// bar is 24 characters that fill up.
func bar(done, all int) string {
	const width = 24
	full := width * done / max(all, 1)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "]"
}

// draw replaces the bar on the screen.
func (p *progress) draw(line string) {
	fmt.Fprintf(p.out, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-len(line))))
	p.width = len(line)
}

func (p *progress) epoch(e train.Epoch) error {
	p.end()
	line := fmt.Sprintf("epoch %d/%d: loss %.4f, accuracy %.4f", e.Number, p.epochs, e.Train.Loss(), e.Train.Accuracy())
	if v := e.Validation; v != nil {
		line += fmt.Sprintf("; validation loss %.4f, accuracy %.4f", v.Loss(), v.Accuracy())
	}
	_, err := fmt.Fprintf(p.out, "%s; %.0f images/s, %.1f%% of the time waiting for data\n", line, e.ExamplesPerSecond(), 100*e.WaitShare())
	return err
}

// end removes the bar.
func (p *progress) end() {
	if p.width > 0 {
		p.draw("")
		fmt.Fprint(p.out, "\r")
		p.width = 0
	}
}
