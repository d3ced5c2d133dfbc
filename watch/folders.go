package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/internal/regular"
	"github.com/plexaura/plexaura/train"
)

// Limits of what is read from folders.
const (
	maxFolders  = 32
	maxMetrics  = 16 << 20 // size in bytes of a metrics file
	maxSettings = 1 << 16
	lookAgain   = time.Second
)

// Folders shows folders of runs, as [train.Fit] writes them, finished or in progress. It only reads
// them, even if they are locked.
type Folders struct {
	paths []string

	mu     sync.Mutex
	looked time.Time
	runs   []*folderRun
}

// folderRun is the state of one folder.
type folderRun struct {
	path  string
	name  string // as shown
	seen  stamp  // of the files when they were read
	State folderState
	table *table
}

// stamp changes when a file changes.
type stamp struct {
	metrics, settings fileStamp
	locked            bool
}

type fileStamp struct {
	size int64
	time time.Time
	err  string
}

// folderState is the state of a run in a folder, as sent to a browser.
type folderState struct {
	Name     string            `json:"name"`
	Phase    string            `json:"phase"` // "waiting", "running", "finished", "stopped", "missing"
	Message  string            `json:"message,omitempty"`
	Epochs   int               `json:"epochs"` // total; 0 if unknown
	Settings map[string]string `json:"settings"`
	Last     []number          `json:"last"` // the last row
	Best     number            `json:"best"` // the best accuracy, of validation if there is one
}

// epochColumns returns the columns of the table of each folder.
func epochColumns() []string {
	return []string{"epoch", "loss", "accuracy", "validation loss", "validation accuracy", "rate", "images a second", "seconds"}
}

// OpenFolders returns folders of runs, at most 32. It is an error if a path is not a folder or
// contains no run.
func OpenFolders(paths ...string) (*Folders, error) {
	switch {
	case len(paths) == 0:
		return nil, errors.New("watch: no folder of a run")
	case len(paths) > maxFolders:
		return nil, fmt.Errorf("watch: %d folders; at most %d can be watched at a time", len(paths), maxFolders)
	}
	f := &Folders{paths: slices.Clone(paths)}
	for _, path := range f.paths {
		if err := isRun(path); err != nil {
			return nil, err
		}
	}
	for i, name := range shortNames(f.paths) {
		f.runs = append(f.runs, &folderRun{path: f.paths[i], name: name})
	}
	return f, nil
}

// shortNames returns paths without the folders with which all of them begin.
func shortNames(paths []string) (names []string) {
	var parts [][]string
	for _, path := range paths {
		names = append(names, plain.Name(path))
		parts = append(parts, strings.Split(filepath.ToSlash(filepath.Clean(path)), "/"))
	}
	if len(paths) == 1 {
		return names
	}
	shared := 0
	for same := true; same; shared++ {
		for _, p := range parts {
			same = same && len(p) > shared+1 && p[shared] == parts[0][shared]
		}
	}
	for i, p := range parts {
		names[i] = plain.Name(strings.Join(p[shared-1:], "/"))
	}
	return names
}

// lockFile is in a folder while a run is in progress there.
const lockFile = ".lock"

func isRun(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("watch: %s is not a folder of a run: it is a file; give its folder", path)
	}
	for _, name := range []string{train.MetricsFile, lockFile} {
		if _, err := os.Stat(filepath.Join(path, name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("watch: %s is not a folder of a run: there is no %s in it", path, train.MetricsFile)
}

// refresh reads the folders again, unless it did so a moment ago.
func (f *Folders) refresh(now time.Time) {
	if now.Sub(f.looked) < lookAgain/2 {
		return
	}
	f.looked = now
	for _, r := range f.runs {
		r.refresh()
	}
}

func stampOf(path string) (s fileStamp) {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{err: err.Error()}
	}
	return fileStamp{size: info.Size(), time: info.ModTime()}
}

// refresh reads the files if they have changed.
func (r *folderRun) refresh() {
	metrics, settings := filepath.Join(r.path, train.MetricsFile), filepath.Join(r.path, train.SettingsFile)
	_, err := os.Stat(filepath.Join(r.path, lockFile))
	now := stamp{stampOf(metrics), stampOf(settings), err == nil}
	if now == r.seen && r.table != nil {
		return
	}
	version := 0
	if r.table != nil {
		version = r.table.version + 1
	}
	r.seen = now
	r.State = folderState{Name: r.name, Best: none}
	r.table = newTable(r.path, epochColumns()...)
	r.table.version = version
	if b, err := regular.ReadFile(settings, maxSettings); err == nil {
		r.State.Settings, r.State.Epochs = parseSettings(b)
	}
	b, err := regular.ReadFile(metrics, maxMetrics)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.State.Message = plain.Line(err.Error())
	}
	r.take(parseMetrics(b))
	r.State.Phase = r.phase(now.locked)
}

func (r *folderRun) phase(locked bool) string {
	done := 0
	if len(r.State.Last) > 0 {
		done = int(r.State.Last[0])
	}
	_, err := os.Stat(r.path)
	switch {
	case err != nil:
		return "missing"
	case locked && done == 0:
		return waiting
	case locked:
		return "running"
	case r.State.Epochs > 0 && done < r.State.Epochs:
		return stopped
	}
	return finished
}

// epochLine is a line of [train.MetricsFile].
type epochLine struct {
	Epoch              int      `json:"epoch"`
	Loss               *float64 `json:"loss"`
	Accuracy           *float64 `json:"accuracy"`
	ValidationLoss     *float64 `json:"validation_loss"`
	ValidationAccuracy *float64 `json:"validation_accuracy"`
	LearningRate       *float64 `json:"learning_rate"`
	Seconds            *float64 `json:"seconds"`
	ExamplesPerSecond  *float64 `json:"examples_per_second"`

	further map[string]number // other numbers, by name: metrics
}

// known are the names of what a line has besides metrics.
var known = []string{
	"epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds", "examples_per_second", "wait_share",
}

// parseFurther returns the metrics of a line.
func parseFurther(text []byte) map[string]number {
	var fields map[string]any
	if json.Unmarshal(text, &fields) != nil {
		return nil
	}
	further := map[string]number{}
	for key, v := range fields {
		if n, ok := v.(float64); ok && !slices.Contains(known, key) {
			further[plain.Line(strings.Replace(key, "validation_", "validation ", 1))] = number(n)
		}
	}
	return further
}

// furtherColumns lists the metrics of lines, in alphabetical order.
func furtherColumns(lines []epochLine) []string {
	names := map[string]bool{}
	for _, l := range lines {
		for name := range l.further {
			if len(name) <= maxName {
				names[name] = true
			}
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	return sorted[:min(len(sorted), 2*mostMetrics)]
}

// maxName is the length in bytes of the longest name of a metric that is shown.
const maxName = 80

// parseMetrics returns the complete lines that are epochs, in order. A line that is being written
// does not have its end yet.
func parseMetrics(b []byte) (lines []epochLine) {
	for {
		text, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return lines
		}
		b = rest
		var l epochLine
		if json.Unmarshal(text, &l) != nil || l.Loss == nil || l.Epoch < 1 {
			continue
		}
		if n := len(lines); n > 0 && l.Epoch <= lines[n-1].Epoch {
			continue
		}
		l.further = parseFurther(text)
		lines = append(lines, l)
	}
}

// take fills the table from lines.
func (r *folderRun) take(lines []epochLine) {
	value := func(v *float64) number {
		if v == nil {
			return none
		}
		return number(*v)
	}
	further := furtherColumns(lines)
	if len(further) > 0 {
		version := r.table.version
		r.table = newTable(r.path, append(epochColumns(), further...)...)
		r.table.version = version
	}
	for _, l := range lines {
		accuracy, validated := value(l.Accuracy), value(l.ValidationAccuracy)
		row := []number{
			number(l.Epoch), value(l.Loss), accuracy, value(l.ValidationLoss), validated,
			value(l.LearningRate), value(l.ExamplesPerSecond), value(l.Seconds),
		}
		r.State.Last = row
		for _, name := range further {
			v, ok := l.further[name]
			if !ok {
				v = none
			}
			row = append(row, v)
		}
		r.table.add(row...)
		if l.ValidationAccuracy != nil {
			accuracy = validated
		}
		if !(accuracy <= r.State.Best) && accuracy == accuracy {
			r.State.Best = accuracy
		}
	}
}

// parseSettings returns the settings as text, and the number of epochs in them.
func parseSettings(b []byte) (settings map[string]string, epochs int) {
	var values map[string]any
	if json.Unmarshal(b, &values) != nil {
		return nil, 0
	}
	settings = map[string]string{}
	for key, v := range values {
		settings[plain.Line(key)] = plain.Line(fmt.Sprint(v))
	}
	if n, ok := values["epochs"].(float64); ok && n >= 1 && n <= 1e9 {
		epochs = int(n)
	}
	return settings, epochs
}

func (f *Folders) kind() string {
	if f == nil || len(f.runs) == 0 {
		return ""
	}
	return "folders"
}

func (f *Folders) routes(*Server, *http.ServeMux) {}

// folderReader is the reader of one browser.
type folderReader struct {
	folders *Folders
	ticker  *time.Ticker
	news    chan struct{}
	end     chan struct{}
	cursors []cursor
	told    []byte
}

func (f *Folders) subscribe() reader {
	s := &folderReader{
		folders: f, ticker: time.NewTicker(lookAgain), news: make(chan struct{}, 1), end: make(chan struct{}),
		cursors: make([]cursor, len(f.runs)),
	}
	go s.tick()
	return s
}

// tick wakes the reader at regular intervals.
func (s *folderReader) tick() {
	for {
		select {
		case <-s.end:
			return
		case <-s.ticker.C:
		}
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

func (s *folderReader) changed() <-chan struct{} { return s.news }

func (s *folderReader) close() {
	s.ticker.Stop()
	close(s.end)
}

func (s *folderReader) read() (messages []message) {
	f := s.folders
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh(time.Now())
	var states []folderState
	for i, r := range f.runs {
		state := r.State
		state.Settings = maps.Clone(state.Settings)
		states = append(states, state)
		if m, ok := r.table.since(&s.cursors[i]); ok {
			m.Table = fmt.Sprint(i)
			messages = append(messages, message{"rows", m})
		}
	}
	b, err := json.Marshal(states)
	if err == nil && !bytes.Equal(b, s.told) {
		s.told = b
		messages = slices.Insert(messages, 0, message{"folders", json.RawMessage(b)})
	}
	return messages
}
