package engine

// Cell is a kind of recurrent cell. Its equations are those of package ops' LSTMCell and GRUCell.
type Cell uint8

// The cells.
const (
	LSTM Cell = iota
	GRU
)

// String returns the name of the cell.
func (c Cell) String() string { return [...]string{"LSTM", "GRU"}[c] }

// Gates returns the number of blocks of H rows of the weights: those of i, f, g and o for an LSTM,
// and of r, z and n for a GRU.
func (c Cell) Gates() int { return [...]int{4, 3}[c] }

// States returns the number of states: h and c for an LSTM, h for a GRU.
func (c Cell) States() int { return [...]int{2, 1}[c] }

// Planes returns the number of values that a [Recurrence] gives for each unit and step.
func (c Cell) Planes() int { return [...]int{6, 5}[c] }

// Kept says what of a recurrence is its result.
type Kept uint8

// What is kept.
const (
	Everything   Kept = iota // (N,T,P*H), all planes
	HiddenStates             // (N,T,H), h of all steps
	LastHidden               // (N,1,H), h of the last step
)

// Recurrence are the attributes of a recurrent layer over sequences of T steps, with H hidden units.
type Recurrence struct {
	Cell Cell
	Kept Kept
}

// RecurrenceGrad are the attributes of the gradient of a [Recurrence] that keeps everything.
type RecurrenceGrad struct {
	Cell  Cell
	Cells bool // there is an adjoint of c, the second plane of an LSTM
	Inner bool // there is an adjoint of the planes after the states
	Brief bool // the result is without its last plane
}

// A Recurrer binds recurrent layers and their gradients. The planes of a result are blocks of H along
// the last axis. All numbers have one floating-point type.
type Recurrer interface {
	// BindRecurrence has the inputs x (N,T,G*H), which is what the inputs of the layer contribute to the
	// gates, the states before the first step (N,H), and w (G*H,H) and b (G*H) of the hidden state. Its
	// result has six planes for an LSTM, h, c, i, f, g and o, and for a GRU the five planes h, r, z, n and
	// q, where q is w·h + b of gate n.
	BindRecurrence(r Recurrence, in []Operand, out Operand) (Bound, error)
	// BindRecurrenceGrad has the inputs dh (N,T,H), the adjoint of the first plane; that of c (N,T,H), if
	// there is one; those of the other planes (N,T,4*H), if there are any; the planes; c for an LSTM, or
	// h for a GRU, before the first step (N,H); and w. Its result (N,T,5*H) has the planes of the adjoints
	// of i, f, g and o before their functions and of c of the step before, for an LSTM. For a GRU, these
	// are n, r and z before their functions, then q, and the part of h of the step before that does not
	// go through w.
	BindRecurrenceGrad(r RecurrenceGrad, in []Operand, out Operand) (Bound, error)
}
