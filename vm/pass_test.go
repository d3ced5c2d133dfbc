package vm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/vm"
)

func TestEveryPassHasAFileOfItsName(t *testing.T) {
	files := vm.PassFiles()
	require.Len(t, files, len(vm.Passes()))
	for name, file := range files {
		require.Equal(t, name+".go", file)
	}
}
