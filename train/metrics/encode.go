package metrics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errFewer = errors.New("the encoded state is too short")

// maxCount bounds counts that are read: sums of them do not overflow.
const maxCount = 1 << 50

// takeCount reads a count from the start of data, and returns what follows.
func takeCount(data []byte, n *int64) ([]byte, error) {
	v, size := binary.Uvarint(data)
	if size <= 0 {
		return nil, errFewer
	}
	if v > maxCount {
		return nil, fmt.Errorf("the encoded state has a count of %d", v)
	}
	*n = int64(v)
	return data[size:], nil
}

func appendFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

// takeFloats reads floats from the start of data, and returns what follows.
func takeFloats(data []byte, into ...*float64) ([]byte, error) {
	for _, v := range into {
		if len(data) < 8 {
			return nil, errFewer
		}
		*v, data = math.Float64frombits(binary.LittleEndian.Uint64(data)), data[8:]
	}
	return data, nil
}

// ended returns an error if there is more data.
func ended(data []byte) error {
	if len(data) > 0 {
		return fmt.Errorf("the encoded state has %d bytes too many", len(data))
	}
	return nil
}
