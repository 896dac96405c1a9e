@echo off
rem 5.XSeg) data_dst mask - edit (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" xseg editor --input-dir "%DFL_WORKSPACE%\data_dst\aligned" %*
set DFL_EXIT=%errorlevel%
:end
if not %DFL_EXIT%==0 if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
