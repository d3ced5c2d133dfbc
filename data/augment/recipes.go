package augment

// MNIST distorts digits slightly: it rotates, scales, shears, shifts and distorts them elastically.
func MNIST() List {
	return List{Elastic{
		Sigma: 4, Alpha: 20,
		Affine: Affine{Rotate: Within(10), Scale: Range{.9, 1.1}, Shear: Within(8), X: Within(.06), Y: Within(.06)},
	}}
}

// MNISTAffine distorts digits half as much as [MNIST] and does not bend them, for networks that are
// trained for a few epochs only and would not get over more.
func MNISTAffine() List {
	return List{Affine{Rotate: Within(5), Scale: Range{.95, 1.05}, Shear: Within(4), X: Within(.03), Y: Within(.03)}}
}

// FashionMNIST shifts clothes by up to a pixel, and flips them.
func FashionMNIST() List { return List{RandomCrop{Pad: 1}, HorizontalFlip{}} }

// CIFAR is the augmentation of He et al., "Deep residual learning for image recognition" (2016),
// for images of 32 by 32: shifts by up to four pixels, and flips.
func CIFAR() List { return List{RandomCrop{Pad: 4}, HorizontalFlip{}} }

// AlexNet is the augmentation of Krizhevsky, Sutskever and Hinton (2012): crops of side by side
// pixels from images of 256 by 256, flips, and [Lighting].
func AlexNet(side int) List {
	return List{RandomCrop{Height: side, Width: side}, HorizontalFlip{}, Lighting{}}
}

// ImageNet is the augmentation of Szegedy et al. (2015), with torchvision's colour jitter: crops of
// many sizes and aspect ratios scaled to side by side pixels, flips, colour changes.
func ImageNet(side int) List {
	return List{
		RandomResizedCrop{Height: side, Width: side}, HorizontalFlip{},
		ColorJitter{Brightness: .4, Contrast: .4, Saturation: .4}, Lighting{},
	}
}
