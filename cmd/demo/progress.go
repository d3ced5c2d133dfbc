package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/plexaura/plexaura/train"
)

// progress shows a run: a bar on a terminal, a line an epoch elsewhere.
type progress struct {
	terminalLine
	epochs int
	shown  time.Time
}

func newProgress(out *output, epochs int) *progress {
	return &progress{terminalLine: newTerminalLine(out), epochs: epochs}
}

// often bounds how often the bar is drawn.
const often = 100 * time.Millisecond

func (p *progress) step(s train.Step) error {
	if time.Since(p.shown) < often && (s.Batch < s.Batches || s.Batches == 0) {
		return nil
	}
	if p.columns() == 0 {
		return nil
	}
	p.shown = time.Now()
	return p.draw(p.line(s, p.room()))
}

// line says where the run stands in at most so many columns: what is least wanted goes first, and
// the bar takes what is left.
func (p *progress) line(s train.Step, room int) string {
	rate := float64(s.Timed) / max(s.Seconds, 1e-9)
	ahead := float64(s.Batches-s.Batch) + float64(p.epochs-s.Epoch)*float64(s.Batches)
	left := "  ETA " + duration(s.Seconds/float64(max(s.Batch, 1))*ahead)
	if s.Batches == 0 { // of a stream nobody knows how many there are
		left = "  step " + thousands(s.Batch)
	}
	parts := []string{
		fmt.Sprintf("epoch %d/%d", s.Epoch, p.epochs),
		fmt.Sprintf("  loss %.4f", s.SoFar.Loss()),
		left,
		fmt.Sprintf(" %6.0f images/s", rate),
	}
	const least, most, frame = 6, 24, 3 // of the bar, and its brackets and space
	for len(parts) > 1 && len(strings.Join(parts, ""))+least+frame > room {
		parts = parts[:len(parts)-1]
	}
	text := strings.Join(parts, "")
	if width := min(most, room-len(text)-frame); width >= least && s.Batches > 0 {
		parts[0] += " " + bar(s.Batch, s.Batches, width)
	}
	if len(parts) == 4 { // as it is read: speed, loss, time
		parts[1], parts[2], parts[3] = parts[3], parts[1], parts[2]
	}
	text = strings.Join(parts, "")
	return text[:max(0, min(len(text), room))]
}

// duration prints seconds in whole ones.
func duration(seconds float64) string {
	const longest = 1000 * 24 * time.Hour
	if !(seconds < longest.Seconds()) {
		return "long"
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

// bar is so many characters that fill up.
func bar(done, all, width int) string {
	full := min(width, width*done/max(all, 1))
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "]"
}

func (p *progress) epoch(e train.Epoch) error {
	p.end()
	line := fmt.Sprintf("epoch %d/%d: loss %.4f, accuracy %.4f%s", e.Number, p.epochs, e.Train.Loss(), e.Train.Accuracy(), valuesLine(e.Train))
	if v := e.Validation; v != nil {
		line += fmt.Sprintf("; validation loss %.4f, accuracy %.4f%s", v.Loss(), v.Accuracy(), valuesLine(*v))
	}
	_, err := fmt.Fprintf(p.out, "%s; %.0f images/s, %.1f%% of the time waiting for data\n", line, e.ExamplesPerSecond(), 100*e.WaitShare())
	return err
}
