"""The mark inside pictures: our JSON, and an XMP packet that other programs understand.

IPTC's property `DigitalSourceType` (namespace Iptc4xmpExt) is what picture archives and platforms look for.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from faceswap.media.picture_texts import MARK_KEYWORD, XMP_KEYWORD, PictureTexts, read_texts
from faceswap.provenance.mark import Mark

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_DC = "http://purl.org/dc/elements/1.1/"
_OURS = "urn:uuid:8f1d2c1e-6f0b-5c0e-9d57-7f3a5b0e4a61:"
_STATEMENT = f"{{{_OURS}}}statement"


def texts_of(mark: Mark) -> PictureTexts:
    """Return what a picture with this mark carries."""
    statement = mark.to_json()
    xmp = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="{_RDF}">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}" xmlns:dc="{_DC}" xmlns:faceswap="{_OURS}">
<Iptc4xmpExt:DigitalSourceType>{escape(mark.digital_source_type)}</Iptc4xmpExt:DigitalSourceType>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(mark.statement)}</rdf:li></rdf:Alt></dc:description>
<faceswap:statement>{escape(statement)}</faceswap:statement>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
    return PictureTexts(statement, xmp)


def marks_in_picture(path: Path) -> tuple[Mark | None, Mark | None]:
    """Return the marks of a picture: from our own text, from its XMP packet.

    Raises:
        UnsupportedInputError: not a PNG, TIFF or EXR picture.
    """
    texts = read_texts(path)
    own = texts.get(MARK_KEYWORD)
    return Mark.from_json(own) if own else None, _mark_in_xmp(texts.get(XMP_KEYWORD, ""))


def _mark_in_xmp(xmp: str) -> Mark | None:
    if "<!" in xmp:  # no packet needs declarations, and entities can be bombs
        return None
    try:
        statement = ElementTree.fromstring(xmp.strip().removeprefix("\ufeff")).find(f".//{_STATEMENT}")
    except ElementTree.ParseError:
        return None
    return Mark.from_json(statement.text) if statement is not None and statement.text else None
