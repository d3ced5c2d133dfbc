package vm

// pack marks the instructions whose kernel uses a packed form of a value that the program does not
// change. The form is then made once, instead of in scratch memory in every run.
func pack(p *plan) error {
	p.packScratch = 0
	for _, in := range p.packing() {
		k := in.bound.Packing
		in.prepacked, in.bound.Scratch = true, k.Rest
		p.packScratch = max(p.packScratch, align(k.Scratch))
	}
	return nil
}

// packedBytes returns the size of all packed forms.
func (p *plan) packedBytes() (bytes int) {
	for _, f := range p.forms() {
		bytes += f.key.bytes
	}
	return bytes
}
