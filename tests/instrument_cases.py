"""Text files of instruments, each of which holds the line y = x + 1.5, as `table_cases` says."""

from typing import NamedTuple


class Right(NamedTuple):
    """A file that is fitted: its text, what must be told of it, options, and the intercept."""

    text: str
    told: str
    options: tuple[str, ...] = ()
    intercept: float = 1.5


PLAIN = "t,s\n0,1.5\n1,2.5\n2,3.5\n"

INSTRUMENTS = {
    "a spectrometer's preamble": Right(
        "Data from Probe1.txt Node\n\nDate: Mon Mar 04 10:21:33 CET 2024\nUser: lab\n"
        "Spectrometer: HR4C1234\nPixels in Spectrum: 3\n>>>Begin Spectral Data<<<\n"
        "0.000\t1.5\n1.000\t2.5\n2.000\t3.5\n",
        "separated by tabs",
    ),
    "a head of LabVIEW": Right(
        "LabVIEW Measurement\t\nSeparator\tTab\nDecimal_Separator\t,\n***End_of_Header***\t\n\t\n"
        "Channels\t1\t\nSamples\t3\t\n***End_of_Header***\t\t\nX_Value\tUntitled\tComment\n"
        "0,0\t1,5\t\n1,0\t2,5\t\n2,0\t3,5\t\n",
        "x is X_Value; y is Untitled",
    ),
    "a drawn table": Right(
        "| t | s |\n|---|:---|\n| 0 | 1.5 |\n| 1 | 2.5 |\n| 2 | 3.5 |\n", "x is t; y is s"
    ),
    "a line below the names": Right(
        "   t    s\n---- ----\n 0.0  1.5\n 1.0  2.5\n 2.0  3.5\n", "x is t; y is s"
    ),
    "separators behind the names alone": Right("t,s,,\n0,1.5\n1,2.5\n2,3.5\n", "x is t; y is s"),
    "a footer, said": Right(
        PLAIN + "\nMean,2.5\nEnd of run\n\n", "x is t; y is s", ("--skip-footer", "2")
    ),
    "a number for a missing value": Right(
        "t,s\n0,1.5\n1,2.5\n1,-999\n1,-999.0\n2,3.5\n", "2 cells of y empty", ("--missing=-999",)
    ),
    "half of the names": Right("t,,\n0,1.5,7\n1,2.5,7\n2,3.5,7\n", "y is 2", ("--y", "2")),
    "a size above whole numbers": Right(
        "3 2\n0 1\n1 2\n2 3\n", "line 1, 3 2, tells the size of the table and is left out", (), 1
    ),
    "serial dates, not said": Right(
        "date,s\n44000,44001.5\n44001,44002.5\n44002,44003.5\n",
        'date is read as numbers; if they are days that a spreadsheet counts say --dates "serial"',
    ),
    "serial dates": Right(
        "date;s\n44197,5;1,5\n44198,5;86401,5\n44198,75;108001,5\n",
        "date is read as seconds from its first, 2021-01-01 12:00:00",
        ("--dates", "serial"),
    ),
    "serial dates without a name": Right(
        "1.0,1.5\n2.0,86401.5\n2.25,108001.5\n",
        "1 is read as seconds from its first, 1899-12-31 00:00:00",
        ("--dates", "serial"),
    ),
    "data in rows": Right("t,0,1,2\ns,1.5,2.5,3.5\n", "x is t; y is s", ("--transpose",)),
    "data in rows, with units": Right(
        "Run 7\nt;s;0;1;2\ns;mV;1,5;2,5;3,5\n", "x is t (s); y is s (mV)", ("--transpose",)
    ),
    "data in rows without names": Right("0 1 2\n1.5 2.5 3.5\n", "x is 1; y is 2", ("--transpose",)),
    "counts of photons": Right(
        "#PicoHarp 300  Histogram Data\t\t\t2021-03-22 04:00:21 PM\n#channels per curve\n3\n"
        "#display curve no.\n0\t3\t\n#memory block no.\n0\t3\t\n#ns/channel\n1.0\t0.5\t\n"
        "#counts\n5\t1\t\n6\t2\t\n7\t3\t\n",
        "column curve 3 has channels of 0.5 ns, not 1, and is left out",
        (),
        5,
    ),
    "counts of photons, another curve": Right(
        "#HydraHarp 400\n#channels per curve\n4\n#ns/bin\n1,0\t0,5\n#counts\n5\t1\n6\t1\n7\t2\n",
        "it tells 4 channels for each curve, but has 3",
        ("--y", "curve 0"),
        5,
    ),
    "keywords with values above": Right(
        "Labels,A,\nType,Decay,\nXAxis,Time,\nYAxis,Counts,\nStart,0,\nStop,3,\nNum,3,\n\n"
        "0.0,1.5,\n1.0,2.5,\n2.0,3.5,\n",
        "lines 1 to 7 above the table are left out",
    ),
    "keywords alone above": Right(
        "Type,Scan\nStart,0.0\nXAxis,Time\nSettings,\n0.0,1.5\n1.0,2.5\n2.0,3.5\n",
        "lines 1 to 4 above the table are left out",
    ),
    "sections": Right(
        "[Header]\nName,mix\n[Curve]\nStep,1\nUnits,mV\nTime (s),Signal\n0,1.5\n1,2.5\n2,3.5\n",
        "lines 1 to 5 above the table are left out",
    ),
    "a title with a comma": Right(
        "Jan. 5, 2020\nScan\nE (V) = 0\n\nt/s, s/A\n0, 1.5\n1, 2.5\n2, 3.5\n", "x is t/s; y is s/A"
    ),
    "words around the numbers": Right(
        "*BLOCK 1 ( Time[ns] Photons )\n0 1.5\n1 2.5\n2 3.5\n*END\n\nEnd of file\n",
        "lines 5 to 7 below the table are left out",
    ),
    "waves of Igor": Right(
        "IGOR\nWAVES\tt\ts\nBEGIN\n\t0\t1.5\n\t1\t2.5\n\t2\t3.5\nEND\nX Note s, 7\n",
        "lines 1 to 3 above the table are left out",
        ("--skip-footer", "2"),
    ),
    "a matrix with an empty corner": Right(
        "Scan 7,,\n,400,401\n5,6.5,7\n6,7.5,7\n7,8.5,7\n",
        "line 2, whose first cell is empty, is taken for the names",
        ("--y", "400"),
    ),
    "a matrix with nan in its corner": Right(
        "nan 400 401\n5 6.5 7\n6 7.5 7\n7 8.5 7\n", "x is 1; y is 400", ("--y", "400")
    ),
    "names in two lines": Right(
        "A,,B,\nt,s,t,u\n0,1.5,0,7\n1,2.5,1,8\n2,3.5,2,8\n",
        "the names are those of lines 1 and 2",
        ("--x", "A t", "--y", "A s"),
    ),
    "an x for each data set, said": Right(
        "t1,s1,t2,s2\n0,1,0,1.5\n1,1,1,2.5\n2,1,2,3.5\n",
        "x is t2; y is s2",
        ("--x", "3", "--y", "4"),
    ),
    "units behind x in a row": Right(
        "User: A,Path: B,ID: 7\n\nRaw data (485 / 520),,,,\nWell,Content,0 s,1 s,2 s\n"
        "A01,blank,1.5,2.5,3.5\n",
        "x is Well (s); y is A01",
    ),
    "x in a row with its name aside": Right(
        "Well,Content,Raw 1,Raw 2,Raw 3\n,Time [s],0,1,2\nA01,blank,1.5,2.5,3.5\n",
        "x is Time [s]; y is A01",
    ),
    "times in a row": Right(
        "Time,0:00:00,0:00:01,0:00:02\nA01,1.5,2.5,3.5\n", "x is Time (s); y is A01"
    ),
    "an index that counts": Right(",s\n1,2.5\n2,3.5\n3,4.5\n", "x is 1; y is s"),
    "two columns of a name": Right("t,s,s\n0,1.5,7\n1,2.5,7\n2,3.5,7\n", "y is s", ("--y", "2")),
}
