package watch

import (
	"encoding/json"
	"math"
	"strconv"
)

// number is a float64 that is null in JSON if it is not finite. It is sent with six digits, more
// than a chart shows.
type number float64

func (n number) MarshalJSON() ([]byte, error) { return n.append(nil), nil }

func (n number) append(b []byte) []byte {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', 6, 64)
}

// none stands for a missing number.
var none = number(math.NaN())

// maxRows is the largest number of rows of a table.
const maxRows = 2000

// table is numbers over time in a fixed amount of memory: when it is full, every two rows are
// merged, and from then on a row is the mean of twice as many added rows. The first column is the
// time; a row has the time of the last row merged into it.
type table struct {
	Name    string
	Columns []string
	values  []number // row by row
	stride  int      // number of added rows per row
	sum     []number
	summed  int
	version int // number of times that rows were merged
}

func newTable(name string, columns ...string) *table {
	return &table{
		Name: name, Columns: columns, stride: 1,
		values: make([]number, 0, maxRows*len(columns)), sum: make([]number, len(columns)),
	}
}

// expect prepares the table for n rows, so that they need not be merged later. The limit keeps the
// beginning of a run without end visible.
func (t *table) expect(n int) { t.stride = max(t.stride, min((n-1)/maxRows+1, 8)) }

func (t *table) rows() int { return len(t.values) / len(t.Columns) }

// add adds a row. It does not allocate.
func (t *table) add(row ...number) {
	for i, v := range row {
		t.sum[i] += v
	}
	t.sum[0] = row[0]
	if t.summed++; t.summed < t.stride {
		return
	}
	if t.rows() == maxRows {
		t.halve()
		if t.summed < t.stride {
			return
		}
	}
	for i := range t.sum[1:] {
		t.sum[i+1] /= number(t.summed)
	}
	t.values = append(t.values, t.sum...)
	clear(t.sum)
	t.summed = 0
}

// halve merges every two rows.
func (t *table) halve() {
	width := len(t.Columns)
	for r := range maxRows / 2 {
		a, b := t.values[2*r*width:], t.values[(2*r+1)*width:]
		to := t.values[r*width : (r+1)*width]
		to[0] = b[0]
		for i := 1; i < width; i++ {
			to[i] = (a[i] + b[i]) / 2
		}
	}
	t.values = t.values[:maxRows/2*width]
	t.stride *= 2
	t.version++
}

// rowsMessage is rows as sent to a browser.
type rowsMessage struct {
	Table   string     `json:"table"`
	Columns []string   `json:"columns"`
	Reset   bool       `json:"reset"` // these are all rows; otherwise they follow earlier ones
	Rows    [][]number `json:"rows"`
}

// JSON returns the same as json.Marshal, in a fraction of the time: a fast run has thousands of
// rows per second.
func (m rowsMessage) JSON() ([]byte, error) {
	rows := m.Rows
	m.Rows = nil
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	b = append(b[:len(b)-len("null}")], '[')
	for i, row := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		for k, v := range row {
			b = v.append(append(b, "[,"[min(k, 1)]))
		}
		b = append(b, ']')
	}
	return append(b, "]}"...), nil
}

// cursor is how far a browser has read a table.
type cursor struct{ version, rows int }

// since returns the rows after c, and advances c. ok is false if there are none.
func (t *table) since(c *cursor) (m rowsMessage, ok bool) {
	m = rowsMessage{Table: t.Name, Columns: t.Columns}
	if c.version != t.version || c.rows == 0 {
		m.Reset = true
		*c = cursor{version: t.version}
	}
	width := len(t.Columns)
	fresh := append([]number(nil), t.values[c.rows*width:]...)
	for len(fresh) > 0 {
		m.Rows = append(m.Rows, fresh[:width:width])
		fresh = fresh[width:]
	}
	c.rows = t.rows()
	return m, len(m.Rows) > 0
}
