package disttest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/dist"
	"github.com/plexaura/plexaura/dist/disttest"
	"github.com/plexaura/plexaura/dist/local"
	"github.com/plexaura/plexaura/internal/nothing"
)

// wrong is a group with a fault in one operation.
type wrong struct {
	dist.Group
	fault string
}

func (w wrong) Exchange(ctx context.Context, send, recv [][]byte) error {
	err := w.Group.Exchange(ctx, send, recv)
	w.spoil("Exchange", recv[0])
	return err
}

func (w wrong) Gather(ctx context.Context, send []byte, recv [][]byte) error {
	err := w.Group.Gather(ctx, send, recv)
	w.spoil("Gather", recv[w.Size()-1])
	return err
}

func (w wrong) Broadcast(ctx context.Context, buf []byte, root int) error {
	err := w.Group.Broadcast(ctx, buf, root)
	w.spoil("Broadcast", buf)
	return err
}

func (w wrong) Barrier(ctx context.Context) error {
	if w.fault == "Barrier" {
		return nil
	}
	return w.Group.Barrier(ctx)
}

func (w wrong) SumFloat64(ctx context.Context, v []float64) error {
	if err := w.Group.SumFloat64(ctx, v); err != nil {
		return err
	}
	if w.fault == "integers" && len(v) > 2 {
		v[2]++
	}
	return nil
}

func (w wrong) spoil(op string, b []byte) {
	if w.fault == op && len(b) > 3 {
		b[3] ^= 1
	}
}

func TestFaultsAreNoticed(t *testing.T) {
	for _, fault := range []string{"", "Exchange", "Gather", "Broadcast", "Barrier", "integers"} {
		err := local.Run(3, func(g dist.Group) error {
			return disttest.Check(wrong{g, fault}, disttest.Options{Seed: 5, Rounds: 6})
		})
		if fault == "" {
			require.NoError(t, err)
			continue
		}
		require.Error(t, err, fault)
		require.True(t, strings.Contains(err.Error(), fault), "%s: %v", fault, err)
	}
}

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Check": disttest.Check},
		Good:  func() []any { return []any{dist.Single(), disttest.Options{Rounds: 1}} },
	})
}
