//go:build amd64 || arm64

package mpi

import (
	"fmt"
	"strings"

	"github.com/ebitengine/purego"
)

// abi is what differs between the binary interfaces of MPI libraries: the width and values of handles,
// special pointers, levels of threads, and the layout of MPI_Status.
type abi struct {
	name    string
	handle  uintptr // bytes of a handle: a pointer, or an int
	handles handles
	symbols map[string]func(*handles) *uintptr // handles that are addresses of variables of the library
	inPlace uintptr                            // MPI_IN_PLACE

	statusBytes, statusError         int   // the size of an MPI_Status, and where its MPI_ERROR is
	threadFunneled, threadSerialized int32 // MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED
}

// handles are the predefined ones that are used here.
type handles struct{ world, float, double, bytes, sum, errorsReturn uintptr }

var standardABI = abi{
	name:        "MPI 5.0",
	handle:      8,
	handles:     handles{world: 0x101, float: 0x210, double: 0x214, bytes: 0x247, sum: 0x21, errorsReturn: 0x143},
	inPlace:     1,
	statusBytes: 32, statusError: 8,
	threadFunneled: 1024, threadSerialized: 2048,
}

var openABI = abi{
	name:   "Open MPI",
	handle: 8,
	symbols: map[string]func(*handles) *uintptr{
		"ompi_mpi_comm_world":    func(h *handles) *uintptr { return &h.world },
		"ompi_mpi_float":         func(h *handles) *uintptr { return &h.float },
		"ompi_mpi_double":        func(h *handles) *uintptr { return &h.double },
		"ompi_mpi_byte":          func(h *handles) *uintptr { return &h.bytes },
		"ompi_mpi_op_sum":        func(h *handles) *uintptr { return &h.sum },
		"ompi_mpi_errors_return": func(h *handles) *uintptr { return &h.errorsReturn },
	},
	inPlace:     1,
	statusBytes: 24, statusError: 8,
	threadFunneled: 1, threadSerialized: 2,
}

var mpichABI = abi{
	name:        "MPICH",
	handle:      4,
	handles:     handles{world: 0x44000000, float: 0x4c00040a, double: 0x4c00080b, bytes: 0x4c00010d, sum: 0x58000003, errorsReturn: 0x54000001},
	inPlace:     ^uintptr(0),
	statusBytes: 20, statusError: 16,
	threadFunneled: 1, threadSerialized: 2,
}

// abiOf tells a library's ABI, without initialising it. An MPICH of version 5 exports the query of the
// standard's ABI whether it has that ABI or not.
func abiOf(dl uintptr, version string) (abi, error) {
	if f, err := purego.Dlsym(dl, "MPI_Abi_get_version"); err == nil {
		var out struct{ major, minor int32 }
		p := &out
		purego.SyscallN(f, address(&p.major), address(&p.minor))
		if p.major == 1 {
			return standardABI, nil
		}
		if p.major > 1 {
			return abi{}, fmt.Errorf("its ABI is version %d.%d of the standard's, want 1", p.major, p.minor)
		}
	}
	if _, err := purego.Dlsym(dl, "ompi_mpi_comm_world"); err == nil {
		return openABI.resolve(dl)
	}
	for _, family := range []string{"MPICH", "Intel(R) MPI", "MVAPICH"} {
		if strings.Contains(version, family) {
			return mpichABI, nil
		}
	}
	return abi{}, fmt.Errorf("%q has the ABI neither of MPI 5.0, nor of Open MPI or MPICH", version)
}

// resolve fills in the handles that are symbols.
func (a abi) resolve(dl uintptr) (abi, error) {
	for name, field := range a.symbols {
		at, err := purego.Dlsym(dl, name)
		if err != nil {
			return a, err
		}
		*field(&a.handles) = at
	}
	return a, nil
}
