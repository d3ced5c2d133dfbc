package vm

import (
	"fmt"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/memlimit"
	"github.com/plexaura/plexaura/shape"
)

// trifle is the size in bytes below which limits are not checked: the memory of the Go runtime
// itself varies by more.
const trifle = 1 << 20

// afford returns an error that wraps [ErrMemory] if the process may not have so many more bytes; an
// allocation that fails would end it. what describes the bytes, and remedy what the user can do.
// drop, if not nil, frees memory that the caller can do without.
func afford(bytes int, what, remedy string, drop func()) error {
	if bytes < trifle || bytes <= memlimit.Least().Bytes {
		return nil
	}
	if drop != nil {
		drop()
	}
	room := memlimit.Freed()
	if bytes <= room.Bytes {
		return nil
	}
	return fmt.Errorf("vm: %w: %s, %s; %s leaves %s: %s", ErrMemory, what, amount(bytes), room.Of, amount(room.Bytes), remedy)
}

// reserve returns memory for a value of concrete type t, or the error of afford.
func reserve(t shape.Type, what string) (engine.Buffer, error) {
	if err := fits(t); err != nil {
		return engine.Buffer{}, fmt.Errorf("vm: %s: %w", what, err)
	}
	if err := afford(t.Bytes(), fmt.Sprintf("%s, %v", what, t), "free memory, or raise the limit", nil); err != nil {
		return engine.Buffer{}, err
	}
	return allocate(t), nil
}

// amount formats a number of bytes for people.
func amount(bytes int) string {
	const units = "KMGT"
	if bytes < 1<<10 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	v, unit := float64(bytes)/(1<<10), 0
	for v >= 1<<10 && unit+1 < len(units) {
		v, unit = v/(1<<10), unit+1
	}
	return fmt.Sprintf("%.4g %ciB", v, units[unit])
}

// affordLeaves returns an error if the leaves that the store lacks are too large together.
// Initialisers fill float64 numbers, which the garbage collector frees after each leaf.
func (s *Store) affordLeaves(missing []shape.Type) error {
	sum, most := 0, 0
	for _, t := range missing {
		sum, most = sum+t.Bytes(), max(most, 8*t.Len())
		if sum > maxBytes {
			break
		}
	}
	return afford(sum+most, fmt.Sprintf("%d parameters and states need initial values", len(missing)),
		"build a smaller model, or raise the limit", nil)
}

// affordRun returns an error if the memory of a plan is too large: its arena, if that of the
// machine is too small, and the packed forms that no machine has made yet.
func (m *Machine) affordRun(pl *plan) error {
	if m.prog.device {
		return m.affordCopies(pl)
	}
	arena, packed := 0, m.unpacked(pl)
	if pl.arena > m.arena.Len() {
		arena = pl.arena
	}
	what := fmt.Sprintf("a run at batch size N=%d needs %s for its values", pl.batch, amount(pl.arena))
	if packed > 0 {
		what += fmt.Sprintf(" and %s for packed parameters", amount(packed))
	}
	return afford(arena+packed, what, "take smaller batches, compile with vm.WithMemory, or raise the limit", func() {
		m.drop(0)
		m.arena = nil
	})
}

// affordCopies returns an error if the host memory that a plan for a device needs is too large.
func (m *Machine) affordCopies(pl *plan) error {
	bytes := pl.copies() + m.unpacked(pl)
	for _, v := range pl.outs {
		bytes += v.typ.Bytes()
	}
	return afford(bytes, fmt.Sprintf("a run at batch size N=%d needs %s on the host", pl.batch, amount(bytes)),
		"take smaller batches, or raise the limit", nil)
}

// unpacked returns the host memory of the packed forms of a plan that are not made yet.
func (m *Machine) unpacked(pl *plan) (bytes int) {
	for _, f := range pl.forms() {
		if f.key.memory == nil && !m.formsOf(f.value).has(f.key) {
			bytes += f.key.bytes
		}
	}
	return bytes
}
