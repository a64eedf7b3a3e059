"""Words that carry no meaning of their own, folded; one list for all matching."""

ENGLISH = """
a about after again all also am an and any are as at be because been before being between both but by can could did do
does doing done for from get give had has have he her hers him his how i if in into is it its itself just let like many
may me might more most much must my no nor not of on once only or other our out over own please shall she should show so
some such than that the their them then there these it they this those through to too under until up upon us very was we
were what when where which while who whom whose why will with would you your
"""
PERSIAN = """
از است اش اگر اما ام ان او ای این اینکه با باید بر برای بود بودن بوده به بی تا تر ترین تو چرا چطور چقدر چگونه چند چه چو
چی چیست چیز خود در درباره دارد دارند داشت داشته را زیرا شد شده شود شوند کجا کجاست کدام کرد کردن کرده کند کنند کنید
که کسی کی کیست ما مگر من مورد می نمی نه نیز نیست ها های هایی هر هم همه هنوز و وی یا یک آن آنها آیا اند
"""
GENERIC = """
happen say tell mean describ explain call use make work name definit describe discuss mention talk kind type
گفت میگوید گوید معنی یعنی تعریف توضیح
"""
ANAPHORA = """
it its itself they them their theirs this that these those he him his she hers there one ones former latter
او آن آنها ایشان وی این اینها همان اش شان
"""
