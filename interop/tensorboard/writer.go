package tensorboard

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Writer writes events. Steps are counted by the caller; TensorBoard draws values over them. A tag
// names what is drawn; those with the same part before a slash are shown together, as "loss/training"
// and "loss/validation". It is not safe for concurrent use. After an error it writes no more.
type Writer struct {
	w    io.Writer
	file *os.File // nil if w is not ours
	err  error

	buf            []byte // records that are not written yet
	event, summary []byte
	value          []byte
}

// flushAt is how many bytes are kept before they are written.
const flushAt = 1 << 16

var errUnmade = errors.New("tensorboard: the Writer was not made by NewWriter or Create")

// NewWriter returns a Writer of an event file to w.
func NewWriter(w io.Writer) *Writer {
	t := &Writer{w: w}
	if w == nil {
		t.err = errors.New("tensorboard: the io.Writer is nil")
		return t
	}
	_ = t.send(0, appendString(nil, eventVersion, "brain.Event:2"))
	return t
}

// Create returns a Writer of a new event file in a folder, which is made if it is missing. Files
// that are there already stay.
func Create(folder string) (*Writer, error) {
	if folder == "" {
		return nil, errors.New("tensorboard: no folder")
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	for i := 0; ; i++ {
		name := fmt.Sprintf("events.out.tfevents.%010d.plexaura.%d.%d", time.Now().Unix(), os.Getpid(), i)
		f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("tensorboard: %w", err)
		}
		w := NewWriter(f)
		w.file = f
		return w, nil
	}
}

// Scalar adds a number. TensorBoard keeps it as a float32.
func (w *Writer) Scalar(tag string, step int64, value float64) error {
	if err := w.ready(tag); err != nil {
		return err
	}
	return w.sendValue(step, appendFloat(w.tagged(tag), valueScalar, value))
}

// buckets is the number of intervals of a histogram.
const buckets = 30

// Histogram adds how values are distributed, in 30 intervals of the same width from the least to the
// greatest. Values that are not finite are left out; if there are no others, nothing is added.
func (w *Writer) Histogram(tag string, step int64, values []float32) error {
	if err := w.ready(tag); err != nil {
		return err
	}
	h := histogramOf(values)
	if h.num == 0 {
		return nil
	}
	var b []byte
	for _, f := range []struct {
		field protowire.Number
		value float64
	}{{histMin, h.least}, {histMax, h.most}, {histNum, h.num}, {histSum, h.sum}, {histSquares, h.squares}} {
		b = appendDouble(b, f.field, f.value)
	}
	b = appendDoubles(appendDoubles(b, histLimits, h.limits), histCounts, h.counts)
	return w.sendValue(step, appendBytes(w.tagged(tag), valueHistogram, b))
}

// histogram says how many values are in each interval, which ends at its limit.
type histogram struct {
	least, most, num, sum, squares float64
	limits, counts                 []float64
}

func histogramOf(values []float32) (h histogram) {
	h.least, h.most = math.Inf(1), math.Inf(-1)
	for _, x := range values {
		v := float64(x)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		h.least, h.most = min(h.least, v), max(h.most, v)
		h.num++
		h.sum += v
		h.squares += v * v
	}
	n := buckets
	if h.least == h.most {
		n = 1
	}
	if h.num == 0 {
		return h
	}
	width := (h.most - h.least) / float64(n)
	h.limits, h.counts = make([]float64, n), make([]float64, n)
	for i := range n {
		h.limits[i] = h.least + float64(i+1)*width
	}
	h.limits[n-1] = h.most
	for _, x := range values {
		v := float64(x)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		i := 0
		if width > 0 {
			i = min(n-1, int((v-h.least)/width))
		}
		h.counts[i]++
	}
	return h
}

// maxPixels bounds the pictures that are written.
const maxPixels = 1 << 26

// Image adds a picture, as PNG.
func (w *Writer) Image(tag string, step int64, img image.Image) error {
	if err := w.ready(tag); err != nil {
		return err
	}
	if img == nil {
		return errors.New("tensorboard: the picture is nil")
	}
	size := img.Bounds().Size()
	if size.X < 1 || size.Y < 1 || size.X > maxPixels/size.Y {
		return fmt.Errorf("tensorboard: a picture of %d×%d; want 1 to %d pixels", size.X, size.Y, maxPixels)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		return fmt.Errorf("tensorboard: %w", err)
	}
	const rgba = 4
	b := appendInt(nil, imageHeight, int64(size.Y))
	b = appendInt(appendInt(b, imageWidth, int64(size.X)), imageColours, rgba)
	b = appendBytes(b, imageData, file.Bytes())
	return w.sendValue(step, appendBytes(w.tagged(tag), valueImage, b))
}

// A Node is a node of a graph. The parts of its name before slashes are the boxes that it is drawn
// in.
type Node struct {
	Name   string   // unlike all others
	Op     string   // what it computes
	Inputs []string // names of nodes
	Shape  []int64  // of the result; -1 is an extent that is not known
	About  string   // shown with the node; may be empty
}

// Graph adds a graph. TensorBoard shows one of a run, the last.
func (w *Writer) Graph(nodes []Node) error {
	if err := w.ready("graph"); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, n := range nodes {
		if known[n.Name] || n.Name == "" || !utf8.ValidString(n.Name+n.Op+n.About) {
			return fmt.Errorf("tensorboard: the name %.80q of a node is there twice, empty, or not UTF-8", n.Name)
		}
		known[n.Name] = true
	}
	var graph []byte
	for _, n := range nodes {
		for _, in := range n.Inputs {
			if !known[in] {
				return fmt.Errorf("tensorboard: node %.80q has the input %.80q, which is no node", n.Name, in)
			}
		}
		graph = appendBytes(graph, graphNode, n.message())
	}
	const producer = 1087 // of a recent TensorFlow
	graph = appendBytes(graph, graphVersions, appendInt(nil, versionsProducer, producer))
	return w.send(0, appendBytes(nil, eventGraph, graph))
}

func (n Node) message() []byte {
	b := appendString(appendString(nil, nodeName, n.Name), nodeOp, n.Op)
	for _, in := range n.Inputs {
		b = appendString(b, nodeInput, in)
	}
	var shape []byte
	for _, extent := range n.Shape {
		shape = appendBytes(shape, shapeDim, appendInt(nil, dimSize, extent))
	}
	b = appendAttribute(b, "_output_shapes", appendBytes(nil, attributeList, appendBytes(nil, listShape, shape)))
	if n.About != "" {
		b = appendAttribute(b, "about", appendString(nil, attributeText, n.About))
	}
	return b
}

func appendAttribute(b []byte, key string, value []byte) []byte {
	return appendBytes(b, nodeAttribute, appendBytes(appendString(nil, entryKey, key), entryValue, value))
}

// Restart says that a run goes on after a step. TensorBoard then drops what earlier files of the
// folder have from that step on.
func (w *Writer) Restart(step int64) error {
	if err := w.ready("restart"); err != nil {
		return err
	}
	return w.send(step, appendBytes(nil, eventSession, appendInt(nil, sessionStatus, sessionStart)))
}

// ready returns an error if w cannot write, or not this tag.
func (w *Writer) ready(tag string) error {
	switch {
	case w == nil || w.w == nil && w.err == nil:
		return errUnmade
	case w.err != nil:
		return w.err
	case tag == "" || !utf8.ValidString(tag):
		return fmt.Errorf("tensorboard: the tag %.80q is empty or not UTF-8", tag)
	}
	return nil
}

// tagged begins a value of a summary.
func (w *Writer) tagged(tag string) []byte {
	w.value = appendString(w.value[:0], valueTag, tag)
	return w.value
}

// sendValue adds an event with one value.
func (w *Writer) sendValue(step int64, value []byte) error {
	w.value = value
	w.summary = appendBytes(w.summary[:0], summaryValue, value)
	w.event = appendBytes(w.event[:0], eventSummary, w.summary)
	return w.send(step, w.event)
}

// send adds an event with the fields that are given, a step and the time.
func (w *Writer) send(step int64, fields []byte) error {
	now := time.Now()
	fields = appendInt(fields, eventStep, step)
	fields = appendDouble(fields, eventTime, float64(now.UnixNano())/1e9)
	w.event = fields
	w.buf = appendRecord(w.buf, fields)
	if len(w.buf) < flushAt {
		return nil
	}
	return w.Flush()
}

// Flush writes what is kept.
func (w *Writer) Flush() error {
	if w == nil || w.w == nil && w.err == nil {
		return errUnmade
	}
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	if _, err := w.w.Write(w.buf); err != nil {
		w.err = fmt.Errorf("tensorboard: %w", err)
	}
	w.buf = w.buf[:0]
	return w.err
}

// Close writes what is kept, and closes the file if Create made it.
func (w *Writer) Close() error {
	err := w.Flush()
	if w == nil || w.file == nil {
		return err
	}
	closed := w.file.Close()
	w.file = nil
	if w.err == nil {
		w.err = errors.New("tensorboard: the Writer is closed")
	}
	if err == nil && closed != nil {
		err = fmt.Errorf("tensorboard: %w", closed)
	}
	return err
}
