"""What can stand in a streaming answer: citation markers, and the Markdown and HTML that lead out of it.

Every PARTIAL pattern says of a text that ends too early whether it may still become the construct.
None of them is ambiguous, so matching stays linear in the held text.
"""

import re

NUMBER = r"[0-9۰-۹٠-٩]{1,3}"
SEPARATOR = r"\s*[,،;–-]\s*"
MARKER = re.compile(rf"\[\s*({NUMBER}(?:{SEPARATOR}{NUMBER})*)\s*\]")
PARTIAL_MARKER = re.compile(rf"\[\s*(?:{NUMBER}(?:{SEPARATOR}{NUMBER})*(?:\s*|{SEPARATOR}))?$")
QUOTE_MARKER = re.compile(
    rf"\[\s*({NUMBER})\s*[:：]\s*(?:\"(.*?)\"|“(.*?)”|«(.*?)»|„(.*?)[“”]|'(.*?)'|‘(.*?)’)\s*\]", re.DOTALL
)
PARTIAL_QUOTE = re.compile(rf"\[\s*{NUMBER}\s*[:：]\s*(?:$|[\"“«„'‘])")
LINK = re.compile(r"!?\[([^\[\]\n]*)\]\(((?:[^()\n]|\([^()\n]*\))*)\)")
PARTIAL_LINK = re.compile(r"!?\[[^\[\]\n]*(?:\](?:\((?:[^()\n]|\([^()\n]*\))*(?:\([^()\n]*)?)?)?$")
IMAGE_BEGIN = re.compile(r"!$")
PLAIN_TARGET = re.compile(r"[\w./#?=&%+~-]+")
DEFINITION = re.compile(r":\s*(\S+)(?=\s)")
PARTIAL_DEFINITION = re.compile(r":\s*\S*$")
ATTRIBUTES = r"[^<>\"']*(?:\"[^\"]*\"[^<>\"']*|'[^']*'[^<>\"']*)*"
TAG_BEGIN = re.compile(r"</?[a-zA-Z]")
TAG = re.compile(rf"</?[a-zA-Z]{ATTRIBUTES}>")
PARTIAL_TAG = re.compile(rf"<(?:/?[a-zA-Z]{ATTRIBUTES}(?:\"[^\"]*|'[^']*)?|/?)$")
ACTIVE_TAG = re.compile(
    r"</?(?:a|area|audio|base|body|button|div|embed|form|frame|head|html|iframe|image|img|input|link|map|math|meta|"
    r"object|p|picture|script|source|span|style|svg|table|td|th|tr|track|use|video)(?=[\s/>])|<[^<>]*=",
    re.IGNORECASE,
)
AUTOLINK = re.compile(r"<([a-zA-Z][a-zA-Z0-9+.-]{1,31}:[^\s<>]*)>")
PARTIAL_AUTOLINK = re.compile(r"<[a-zA-Z][^\s<>]*$")
ADDRESS = re.compile(r"(?:https?:|www\.)[^\s<>\"'`\[\]«»“”]*", re.IGNORECASE)
ADDRESS_REST = re.compile(r"[^\s<>\"'`\[\]«»“”]*")
OPENER = re.compile(r"[\[!<]|(?<=\])[(:]|https?:|(?<![\w/])www\.", re.IGNORECASE)
LATE_OPENER = re.compile(r"(?:h|ht|htt|https?)$|(?<![\w/])(?:w|ww|www)$", re.IGNORECASE)


def expand_numbers(numbers: str) -> list[int]:
    """Returns the numbers of "1, 3" or "1-3", at most twenty; int() reads Persian and Arabic digits."""
    found: list[int] = []
    for part in re.split(r"[,،;]", numbers):
        first, _, last = part.replace("–", "-").partition("-")
        start, end = int(first), int(last.rpartition("-")[2] or first)
        found += range(start, end + 1) if start <= end < start + 20 else [start, end]
    return found[:20]
