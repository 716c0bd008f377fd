"""What is published about the image sets: files, sizes, terms, and where they are to be had."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from devicephys.bnn.image_files import CIFAR_CLASSES

FETCH = "devicephys data fetch {}"
TEN_DIGITS = tuple("0123456789")
CIFAR_BIN, CIFAR_JPEG = "cifar-10-batches-bin", "cifar-10-jpeg"
CIFAR_ARCHIVE = "cifar-10-jpg.tar.xz"
BATCHES = (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin")
IDX_FILES = tuple(
    f"{part}-{kind}.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
)


@dataclass(frozen=True)
class Source:
    """What is published about an image set.

    Attributes
    ----------
    layouts : mapping
        Files by folder below ``datasets/`` in which they may lie, the preferred first.
    shape : tuple of int
        Channels, height and width of an image [1].
    n_train, n_test : int
        Numbers of images [1].
    balanced : bool
        Whether every class has as many images.
    classes : tuple of str
        Names of the classes, in the order of the labels.
    licence, page : str
        Terms it comes under, and the address of its official page.
    urls : mapping
        SHA-256 by address: of an archive itself, of a .gz file's content. None where no checksum
        could be verified: such a set is fetched by hand.
    """

    layouts: Mapping[str, tuple[str, ...]]
    shape: tuple[int, int, int]
    n_train: int
    n_test: int
    balanced: bool
    classes: tuple[str, ...]
    licence: str
    page: str
    urls: Mapping[str, str]


def by_hand(source: Source) -> str:
    """Say how to fetch a set by hand.

    Parameters
    ----------
    source : Source
        The set.

    Returns
    -------
    str
        Which files, from where, into which folder.

    Examples
    --------
    >>> by_hand(SOURCES["svhn"])
    'get train_32x32.mat, test_32x32.mat from http://ufldl.stanford.edu/housenumbers/ and put \
them into $DEVICEPHYS_DATA/datasets/svhn/'
    """
    folder, files = next(iter(source.layouts.items()))
    return (
        f"get {', '.join(files)} from {source.page} and put them into "
        f"$DEVICEPHYS_DATA/datasets/{folder}/"
    )


def _idx_urls(root: str, *sha256: str) -> Mapping[str, str]:
    return {root + file: value for file, value in zip(IDX_FILES, sha256, strict=True)}


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "mnist": Source(
            {"mnist": IDX_FILES}, (1, 28, 28), 60_000, 10_000, False, TEN_DIGITS,
            "LeCun, Cortes and Burges, CC BY-SA 3.0",
            "http://yann.lecun.com/exdb/mnist/ or https://ossci-datasets.s3.amazonaws.com/mnist/",
            _idx_urls(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",  # PyTorch's mirror of the page
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        "fashion-mnist": Source(
            {"fashion-mnist": IDX_FILES}, (1, 28, 28), 60_000, 10_000, True,
            ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
             "Bag", "Ankle boot"),
            "Zalando Research, MIT licence",
            "https://github.com/zalandoresearch/fashion-mnist",
            _idx_urls(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
        "cifar-10": Source(
            {CIFAR_BIN: BATCHES, CIFAR_JPEG: (CIFAR_ARCHIVE,)}, (3, 32, 32), 50_000, 10_000, True,
            CIFAR_CLASSES,
            "no licence stated; its page asks to cite A. Krizhevsky, Learning Multiple Layers of "
            "Features from Tiny Images, 2009",
            "https://www.cs.toronto.edu/~kriz/cifar.html",
            {
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz":
                # of the archive whose MD5 the page states: c32a1d4ab5d03f1284b67883e8d87530
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            },
        ),
        "svhn": Source(
            {"svhn": ("train_32x32.mat", "test_32x32.mat")}, (3, 32, 32), 73_257, 26_032,
            False, TEN_DIGITS,
            "Netzer et al. 2011, Street View House Numbers; its page: for non-commercial use only",
            "http://ufldl.stanford.edu/housenumbers/",
            {},
        ),
    }
)  # fmt: skip
